package tokenexchange

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// withTokens is a directory of the base users with entries of api_tokens, for
// the client web, which takes them, and other clients, which do not.
func withTokens(t *testing.T, entries ...APIToken) (*Realm, error) {
	t.Helper()
	cfg := baseConfig()
	cfg.client("web").APITokens = true
	cfg.client("web").AllowedOrgs = []string{"acme", "beta"}
	text := strings.TrimSuffix(baseUsers, "}") + `,"api_tokens":` + string(must(json.Marshal(entries))) + "}"
	return Compile(cfg, []string{usersPath(t, text)})
}

// adasToken is the entry that the tests vary, and the token of it.
func adasToken(t *testing.T) (string, APIToken) {
	t.Helper()
	token, entry, err := NewAPIToken(APIToken{
		User: "example.com:ada", Org: "acme", Client: "web", Expires: "2026-06-01T00:00:00Z",
		Permissions: []string{"shop/orders.read orders/eu/** {org}/**", "shop/orders.write **"},
	}, start)
	if err != nil {
		t.Fatal(err)
	}
	return secret("an API token", token), entry
}

func TestNewAPIToken(t *testing.T) {
	token, entry := adasToken(t)
	// Clients paste it unescaped into a form.
	if !regexp.MustCompile(`^[A-Za-z0-9._~-]{60,80}$`).MatchString(token) || !strings.HasPrefix(token, entry.ID+".") {
		t.Errorf("a token of %d characters has the wrong form", len(token))
	}
	if other, _ := adasToken(t); other == token {
		t.Error("two tokens are the same")
	}
	if text := string(must(json.Marshal(entry))); strings.Contains(text, token[len(entry.ID)+1:]) {
		t.Error("the entry shows the token")
	}
	for name, c := range map[string]struct {
		change func(*APIToken)
		want   string
	}{
		"user without a domain": {func(e *APIToken) { e.User = "ada" }, `.user: "ada": expected <domain>:<id>`},
		"user without an id":    {func(e *APIToken) { e.User = "example.com:" }, ".user:"},
		"org a star":            {func(e *APIToken) { e.Org = "*" }, ".org:"},
		"no org":                {func(e *APIToken) { e.Org = "" }, ".org:"},
		"client of a guard":     {func(e *APIToken) { e.Client = "guard:shop" }, ".client:"},
		"no permissions":        {func(e *APIToken) { e.Permissions = nil }, ".permissions: missing"},
		"no service":            {func(e *APIToken) { e.Permissions = []string{"shop/orders.read **", "orders.read **"} }, `.permissions[1]: "orders.read **": expected SERVICE/PERMISSION`},
		"no pattern":            {func(e *APIToken) { e.Permissions = []string{"shop/orders.read"} }, ".permissions[0]: shop/orders.read: expected at least one resource pattern"},
		"bad pattern":           {func(e *APIToken) { e.Permissions = []string{"shop/orders.read a/**/b"} }, ".permissions[0]: shop/orders.read a/**/b"},
		"no expires":            {func(e *APIToken) { e.Expires = "" }, ".expires:"},
		"expires as a date":     {func(e *APIToken) { e.Expires = "2026-06-01" }, `.expires: "2026-06-01": expected a time such as`},
		"expires now":           {func(e *APIToken) { e.Expires = start.Format(time.RFC3339) }, "is not ahead"},
	} {
		entry := entry
		c.change(&entry)
		if token, _, err := NewAPIToken(entry, start); err == nil || token != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// An entry that is wrong refuses the configuration, and names the place.
func TestAPITokenEntries(t *testing.T) {
	_, good := adasToken(t)
	for name, c := range map[string]struct {
		change func(*APIToken)
		want   string
	}{
		"good":                 {func(*APIToken) {}, ""},
		"identity only":        {func(e *APIToken) { e.Permissions = []string{} }, ""},
		"expired":              {func(e *APIToken) { e.Expires = "2020-01-01T00:00:00+02:00" }, ""},
		"more than the user":   {func(e *APIToken) { e.Permissions = []string{"shop/* **"} }, ""},
		"id with a dot":        {func(e *APIToken) { e.ID = "a.b" }, `.id: "a.b": expected`},
		"no id":                {func(e *APIToken) { e.ID = "" }, `.id: ""`},
		"no hash":              {func(e *APIToken) { e.Hash = "" }, ".hash: expected sha256:"},
		"another hash":         {func(e *APIToken) { e.Hash = "sha1:00" }, ".hash: expected sha256:"},
		"hash of nothing":      {func(e *APIToken) { e.Hash = emptyHash }, ".hash: this is the hash of the empty secret"},
		"user by name":         {func(e *APIToken) { e.User = "ada" }, ".user:"},
		"unknown user":         {func(e *APIToken) { e.User = "example.com:zed" }, `.user: there is no user "example.com:zed"`},
		"user of a domain":     {func(e *APIToken) { e.User = "b.example:ada" }, ".user: there is no user"},
		"unknown client":       {func(e *APIToken) { e.Client = "wbe" }, `.client: there is no client "wbe"; expected one of the clients: batch,`},
		"another client":       {func(e *APIToken) { e.Client = "batch" }, ".client: API tokens are not for client batch; expected api_tokens in its block"},
		"org of another":       {func(e *APIToken) { e.User, e.Org = "example.com:eve", "beta" }, `.org: the user is no member of "beta"`},
		"unknown org":          {func(e *APIToken) { e.Org = "zeta" }, ".org: the user is no member"},
		"org of other clients": {func(e *APIToken) { e.Org = "empty" }, `.org: "empty" is not in allowed_orgs of client web`},
		"unknown permission":   {func(e *APIToken) { e.Permissions = []string{"shop/* **", "shop/x **"} }, `.permissions[1]: "shop/x": service shop declares no such permission`},
		"bad pattern":          {func(e *APIToken) { e.Permissions = []string{"shop/orders.read x{org}"} }, ".permissions[0]: shop/orders.read x{org}"},
		"no expires":           {func(e *APIToken) { e.Expires = "" }, `.expires: "": expected a time`},
		"expires never":        {func(e *APIToken) { e.Expires = "never" }, `.expires: "never"`},
		"expires in no zone":   {func(e *APIToken) { e.Expires = "2026-06-01T00:00:00" }, ".expires:"},
	} {
		t.Run(name, func(t *testing.T) {
			first, entry := good, good
			first.ID = "first"
			c.change(&entry)
			realm, err := withTokens(t, first, entry)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || realm != nil || !strings.Contains(err.Error(), "users.json: api_tokens[1]"+c.want)):
				t.Errorf("got %v, want an error at api_tokens[1]%s", err, c.want)
			}
		})
	}
	if _, err := withTokens(t, good, good); err == nil || !strings.Contains(err.Error(), "api_tokens[1].id: ") {
		t.Errorf("one id twice: got %v", err)
	}
	text := strings.TrimSuffix(baseUsers, "}") + `,"api_tokens":[{"id":"a","token":"b"}]}`
	if _, err := Compile(baseConfig(), []string{usersPath(t, text)}); err == nil || !strings.Contains(err.Error(), "api_tokens[0].token: unknown name") {
		t.Errorf("an unknown name: got %v", err)
	}
	text = strings.TrimSuffix(baseUsers, "}") + `,"api_tokens":[{"id":"a","permissions":null}]}`
	if _, err := Compile(baseConfig(), []string{usersPath(t, text)}); err == nil || !strings.Contains(err.Error(), "api_tokens[0].permissions: expected a list, found null") {
		t.Errorf("null permissions: got %v", err)
	}
	text = strings.TrimSuffix(baseUsers, "}") + `,"api_tokens":[{"id":"a","hash":"` + good.Hash + `","user":"example.com:ada","org":"acme","client":"web","expires":"2026-06-01T00:00:00Z"}]}`
	if _, err := Compile(baseConfig(), []string{usersPath(t, text)}); err == nil || !strings.Contains(err.Error(), "api_tokens[0].permissions: missing") {
		t.Errorf("no permissions: got %v", err)
	}
}

// emptyHash is the SHA-256 of nothing, which an unset variable leaves.
const emptyHash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// The user of a token may stand in a later file.
func TestAPITokensOfAnotherFile(t *testing.T) {
	_, entry := adasToken(t)
	cfg := baseConfig()
	cfg.client("web").APITokens = true
	tokens := usersPath(t, `{"api_tokens":[`+string(must(json.Marshal(entry)))+`]}`)
	if _, err := Compile(cfg, []string{tokens, usersPath(t, baseUsers)}); err != nil {
		t.Error(err)
	}
	if _, err := Compile(cfg, []string{tokens}); err == nil || !strings.Contains(err.Error(), tokens+": api_tokens[0].user") {
		t.Errorf("without its user: got %v", err)
	}
}

func TestAPITokenIsFound(t *testing.T) {
	token, entry := adasToken(t)
	other, _ := adasToken(t)
	realm := must(withTokens(t, entry))
	_, random, _ := strings.Cut(token, ".")
	_, otherRandom, _ := strings.Cut(other, ".")
	for name, c := range map[string]struct {
		presented string
		want      bool
	}{
		"as it is":           {token, true},
		"nothing":            {"", false},
		"a dot":              {".", false},
		"its id":             {entry.ID, false},
		"its id and a dot":   {entry.ID + ".", false},
		"its hash":           {entry.Hash, false},
		"the random part":    {random, false},
		"another random":     {entry.ID + "." + otherRandom, false},
		"another token":      {other, false},
		"another id":         {"x." + random, false},
		"id in capitals":     {strings.ToUpper(entry.ID) + "." + random, false},
		"something behind":   {token + "x", false},
		"a blank behind":     {token + " ", false},
		"one character less": {token[:len(token)-1], false},
		"a client's secret":  {secretOf("web"), false},
	} {
		found, ok := realm.users.apiToken(c.presented)
		if ok != c.want || (found != nil) != c.want {
			t.Errorf("%s: got %v, want %v", name, ok, c.want)
		}
	}
	if _, ok := new(Directory).apiToken(token); ok {
		t.Error("a directory without entries knows a token")
	}
	found, _ := realm.users.apiToken(token)
	if found.client.ID != "web" || found.org != "acme" || found.id != entry.ID || found.user.subject() != entry.User {
		t.Errorf("got client %s, org %s, id %s, user %s", found.client.ID, found.org, found.id, found.user.subject())
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", found.secret, found.secret, found.secret), string(must(json.Marshal(found.secret)))} {
		if strings.Contains(text, strings.TrimPrefix(entry.Hash, "sha256:")[:16]) {
			t.Errorf("the hash can be printed: %s", text)
		}
	}
}
