package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	issuer       = "https://auth.example.com"
	shopAudience = "https://shop.example.com"
	clientSecret = "a-secret-of-enough-characters"
	password     = "the-password-of-every-user"
	// passwordHash is bcrypt with the lowest cost.
	passwordHash = "$2a$04$1K7ApboEYPAHgCI00QsTqu8F6nENAvGoDgSR1UCzVTg9/XQg0XUci"
)

// caddyfile is an issuer and a guard in one process. KEYS are lines.
const caddyfile = `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	grace_period 2s
	log {
		output stderr
		format json
	}
	scopegate {
		issuer ` + issuer + `
		KEYS
		STORE
		users file USERS
		service shop ` + shopAudience + ` {
			permissions orders.read orders.write
		}
		client web {
			secret {env.WEB_SECRET}
			grant_types password refresh_token client_credentials
			scope openid
			own shop/orders.read orders/**
			permit shop/* **
			access_token_validity ACCESS
			refresh_token_validity REFRESH
			id_token_alg ES256
			allow audience_exchange by batch
		}
		client batch {
			secret {env.WEB_SECRET}
			grant_types audience_exchange
			target_audiences ` + shopAudience + `
			permit shop/* **
			id_token_alg ES256
		}
	}
}
http://:PORT {
	oauth_server
	guard shop {
		GET /orders/{id} orders.read orders/{id}
		PUT /orders/{id} orders.write orders/{id}
	}
	respond 200
}
`

// house is what the servers of one issuer share: keys, store and users.
type house struct {
	t       *testing.T
	dir     string
	lines   string // of the Caddyfile, that name the keys
	access  string // how long tokens live
	refresh string
	users   *usersFile
	redis   *redistest.Server // nil with another store
	store   *store            // which is redis
	servers []*server
}

// newHouse has keys and users, and no server.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), access: "30m", refresh: "1h"}
	write(t, filepath.Join(h.dir, "es256.pem"), newSigningKey(t))
	write(t, filepath.Join(h.dir, "state.key"), outside.StateKey())
	h.lines = fmt.Sprintf("signing_key file %s\n\t\tstate_key file %s", filepath.Join(h.dir, "es256.pem"), filepath.Join(h.dir, "state.key"))
	h.users = newUsersFile(t, filepath.Join(h.dir, "users.json"))
	return h
}

// startPair starts two servers on one Redis.
func (h *house) startPair() {
	h.t.Helper()
	h.startRedis()
	for _, name := range []string{"A", "B"} {
		h.add(name, redisAt(h.redis.Addr())).start()
	}
}

func (h *house) startRedis() {
	h.t.Helper()
	h.redis = redistest.Start(h.t)
	h.store = newStore(h.t, h.redis)
}

func redisAt(address string) string { return "store redis {\n\t\t\taddress " + address + "\n\t\t}" }

// add prepares a server with this store.
func (h *house) add(name, store string) *server {
	h.t.Helper()
	s := newServer(h.t, name, func(port int) string {
		return strings.NewReplacer(
			"KEYS", h.lines, "STORE", store, "USERS", h.users.path, "PORT", fmt.Sprint(port), "ACCESS", h.access, "REFRESH", h.refresh,
		).Replace(caddyfile)
	}, "WEB_SECRET="+clientSecret)
	if s.store = h.store; s.store != nil {
		s.pulse = s.newPulse()
	}
	h.servers = append(h.servers, s)
	return s
}

// newSigningKey is an ES256 key as a PEM file.
func newSigningKey(t *testing.T) string {
	t.Helper()
	key, err := tokenexchange.GenerateSigningKey("ES256")
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// usersFile is the file that all servers read. Nobody sees half of it: it is
// replaced by renaming.
type usersFile struct {
	t    *testing.T
	path string

	mu    sync.Mutex
	order []string
	users map[string]map[string]any
}

const (
	mayRead  = "shop/orders.read orders/**"
	mayWrite = "shop/orders.write orders/**"
)

func newUsersFile(t *testing.T, path string) *usersFile {
	t.Helper()
	u := &usersFile{t: t, path: path, users: map[string]map[string]any{}}
	u.change("load", func(map[string]any) {})
	return u
}

// add names new users in one change of the file.
func (u *usersFile) add(names ...string) {
	u.t.Helper()
	for _, name := range names {
		u.user(name)
	}
	u.change(names[0], func(map[string]any) {})
}

// change changes one user, and renames the new file over the old one.
func (u *usersFile) change(name string, how func(user map[string]any)) {
	u.t.Helper()
	user := u.user(name)
	u.mu.Lock()
	defer u.mu.Unlock()
	how(user)
	var all []map[string]any
	for _, name := range u.order {
		all = append(all, u.users[name])
	}
	text, err := json.Marshal(map[string]any{"orgs": []any{map[string]any{"id": "acme"}}, "users": all})
	if err != nil {
		u.t.Fatal(err)
	}
	write(u.t, u.path+".new", string(text))
	if err := os.Rename(u.path+".new", u.path); err != nil {
		u.t.Fatal(err)
	}
}

func (u *usersFile) user(name string) map[string]any {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users[name] == nil {
		u.order = append(u.order, name)
		u.users[name] = map[string]any{"id": name, "username": name, "domain": "example.com", "password_hash": passwordHash, "default_org": "acme"}
		permit(u.users[name], mayRead, mayWrite)
	}
	return u.users[name]
}

// permit sets what a user may do.
func permit(user map[string]any, permissions ...string) {
	user["memberships"] = []any{map[string]any{"org": "acme", "permissions": permissions}}
}
