package tokenexchange

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/scopegate/scopegate/scopes"
)

func TestPasswordGrant(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("x", 73)
	for name, c := range map[string]struct{ user, password, want string }{
		"by name":                     {"ada", password, ""},
		"by name and domain":          {"ada@example.com", password, ""},
		"unique with its domain":      {"sam@b.example", password, ""},
		"wrong password":              {"ada", "wrong", "credentials_wrong"},
		"password and a blank":        {"ada", password + " ", "credentials_wrong"},
		"name in other case":          {"Ada", password, "credentials_wrong"},
		"name and a blank":            {"ada ", password, "credentials_wrong"},
		"by sub":                      {"example.com:ada", password, "credentials_wrong"},
		"unknown":                     {"zed", password, "credentials_wrong"},
		"disabled":                    {"bob", password, "credentials_wrong"},
		"without a password":          {"eve", password, "credentials_wrong"},
		"two users of the name":       {"sam", password, "credentials_wrong"},
		"longer than bcrypt reads":    {"ada", long, "credentials_wrong"},
		"a client's name":             {"nightly", secretOf("nightly"), "credentials_wrong"},
		"the hash in the wrong place": {"ada", cheap, "credentials_wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.token("web", "grant_type", "password", "username", c.user, "password", c.password)
			if c.want == "" {
				g.granted(t)
				return
			}
			g.refused(t, 400, "invalid_grant", c.want)
			if g.record["sub"] != nil {
				t.Errorf("the record names a user who did not log in: %v", g.record)
			}
		})
	}
}

// A hash of another user must open no account that has none.
func TestDecoyOpensNothing(t *testing.T) {
	h := newHouse(t)
	if d := h.realm.users.decoy; !d.usable() || !d.matches(password) {
		t.Fatal("the decoy is not the hash of a user")
	}
	for _, name := range []string{"eve", "zed", "sam", "bob", ""} {
		if u, err := h.Server.login(t.Context(), name, password); err == nil {
			t.Errorf("%q got in as %s", name, u.subject())
		}
	}
}

func TestPasswordHashes(t *testing.T) {
	const salt, key = "c2FsdHNhbHRzYWx0", "a2V5a2V5a2V5a2V5a2V5a2V5"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + key }
	for text, good := range map[string]bool{
		cheap:                         true,
		argon("m=64,t=1,p=1"):         true,
		argon("m=262144,t=16,p=16"):   true,
		"":                            false,
		"plain":                       false,
		cheap + "x":                   false,
		cheap[:59]:                    false,
		"$2a$31" + cheap[6:]:          false,
		"$2a$03" + cheap[6:]:          false,
		"$1$abc$def":                  false,
		argon("m=0,t=1,p=1"):          false,
		argon("m=64,t=0,p=1"):         false,
		argon("m=64,t=1,p=0"):         false,
		argon("m=262145,t=1,p=1"):     false,
		argon("m=64,t=17,p=1"):        false,
		argon("m=64,t=1,p=17"):        false,
		argon("m=64,t=1,p=256"):       false,
		argon("m=64,t=1,p=1,x=1"):     false,
		argon("m=64,t=1,p=1 "):        false,
		argon("m=064,t=1,p=1"):        false,
		argon("m=+64,t=1,p=1"):        false,
		argon("m=-64,t=1,p=1"):        false,
		argon("m=4294967360,t=1,p=1"): false,
		"$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key:         false,
		"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key:        false,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$":              false,
		"$argon2id$v=19$m=64,t=1,p=1$$" + key:                    false,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "==": false,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$x": false,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key[:8]:    false,
	} {
		h, err := parsePasswordHash(text)
		if (err == nil) != good || h.usable() != good && good {
			t.Errorf("%s: got %v, want good %v", text, err, good)
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the hash: %v", err)
		}
	}
	if (passwordHash{}).matches("") {
		t.Error("the zero hash matches")
	}
	exact := string(must(bcrypt.GenerateFromPassword([]byte(strings.Repeat("x", 72)), bcrypt.MinCost)))
	h := must(parsePasswordHash(exact))
	if !h.matches(strings.Repeat("x", 72)) || h.matches(strings.Repeat("x", 73)) || h.matches(strings.Repeat("x", 71)) {
		t.Error("bcrypt: 72 bytes must match, more and fewer must not")
	}
}

func TestUsersFile(t *testing.T) {
	user := func(members string) string {
		return `{"orgs":[{"id":"acme"}],"groups":[{"id":"g"}],"users":[{"id":"a","username":"a","domain":"d",` + members + `}]}`
	}
	memb := func(members string) string { return user(`"memberships":[{"org":"acme",` + members + `}]`) }
	for name, c := range map[string]struct{ text, want string }{
		"empty":                    {``, "users.json: it is empty; expected a JSON object"},
		"no JSON":                  {`users: []`, "json"},
		"unknown name":             {`{"user":[]}`, "user: unknown name"},
		"unknown name of a user":   {user(`"pasword_hash":"x"`), "users[0].pasword_hash: unknown name; expected one of default_org, disabled, domain, email,"},
		"name in other case":       {user(`"Disabled":true`), "users[0].Disabled: unknown name"},
		"name twice":               {user(`"disabled":true,"disabled":false`), `duplicate name "disabled"`},
		"null":                     {user(`"disabled":null`), "users[0].disabled: expected true or false, found null"},
		"wrong type":               {user(`"disabled":"yes"`), "users[0].disabled: expected true or false, found a string"},
		"a string as a list":       {memb(`"permissions":"shop/orders.read **"`), "users[0].memberships[0].permissions: expected a list, found a string"},
		"orgs by their ids":        {`{"orgs":["acme"]}`, "line 1, column 10: orgs[0]: expected an object, found a string"},
		"bad time":                 {user(`"tokens_not_before":"yesterday"`), `users[0].tokens_not_before: expected a time such as 2026-12-31T00:00:00Z, found "yesterday"`},
		"a date as a time":         {user(`"tokens_not_before":"2026-01-31"`), `users[0].tokens_not_before: expected a time such as 2026-12-31T00:00:00Z, found "2026-01-31"`},
		"something behind":         {`{} {}`, "after the value"},
		"bad id":                   {`{"users":[{"id":"a/b","username":"a","domain":"d"}]}`, `users[0].id: "a/b"`},
		"no username":              {`{"users":[{"id":"a","domain":"d"}]}`, "users[0].username"},
		"blank in the username":    {`{"users":[{"id":"a","username":"a b","domain":"d"}]}`, "users[0].username"},
		"no domain":                {`{"users":[{"id":"a","username":"a"}]}`, "users[0].domain"},
		"colon in the domain":      {`{"users":[{"id":"a","username":"a","domain":"d:e"}]}`, "users[0].domain"},
		"the domain of guards":     {`{"users":[{"id":"a","username":"a","domain":"guard"}]}`, "users[0].domain"},
		"an id twice":              {`{"users":[{"id":"a","username":"a","domain":"d"},{"id":"a","username":"b","domain":"d"}]}`, `users[1].id: "a" is used twice`},
		"a username twice":         {`{"users":[{"id":"a","username":"u","domain":"d"},{"id":"b","username":"u","domain":"d"}]}`, `users[1].username: "u" is used twice`},
		"bad hash":                 {user(`"password_hash":"secret"`), "users[0].password_hash: expected a hash"},
		"unknown org":              {user(`"memberships":[{"org":"beta"}]`), `users[0].memberships[0].org: "beta" is not in orgs`},
		"no org":                   {user(`"memberships":[{}]`), `users[0].memberships[0].org: ""`},
		"an org twice":             {user(`"memberships":[{"org":"acme"},{"org":"acme"}]`), `users[0].memberships[1].org: a second`},
		"unknown group":            {memb(`"groups":["h"]`), `users[0].memberships[0].groups: "h"`},
		"a role that is none":      {memb(`"roles":["csp:org_member","external/shop/orders.read"]`), `users[0].memberships[0].roles: "external/shop/orders.read"`},
		"a role without a name":    {memb(`"roles":["csp:"]`), `users[0].memberships[0].roles: "csp:"`},
		"default org not held":     {user(`"default_org":"beta","memberships":[{"org":"acme"}]`), `users[0].default_org: the user is no member of "beta"`},
		"default org, no member":   {user(`"default_org":"acme"`), "users[0].default_org: the user has no membership"},
		"permission empty":         {memb(`"permissions":[""]`), "users[0].memberships[0].permissions[0]: expected SERVICE/PERMISSION"},
		"permission unknown":       {memb(`"permissions":["shop/orders.read **","shop/x **"]`), `users[0].memberships[0].permissions[1]: "shop/x": service shop declares no such permission; expected one of orders.read`},
		"permission of no service": {memb(`"permissions":["nope/x **"]`), `no service "nope"`},
		"permission no pattern":    {memb(`"permissions":["shop/orders.read"]`), "at least one resource pattern"},
		"permission bad pattern":   {memb(`"permissions":["shop/orders.read a/../b"]`), "permissions[0]: shop/orders.read a/../b"},
		"permission half an org":   {memb(`"permissions":["shop/orders.read x{org}"]`), "only as a whole segment"},
		"permission other braces":  {memb(`"permissions":["shop/orders.read {user}"]`), "only {org}"},
		"org id with a slash":      {`{"orgs":[{"id":"a/b"}]}`, `orgs[0].id: "a/b"`},
		"org id a star":            {`{"orgs":[{"id":"**"}]}`, `orgs[0].id: "**"`},
		"org id empty":             {`{"orgs":[{"name":"x"}]}`, `orgs[0].id: ""`},
		"org id twice":             {`{"orgs":[{"id":"a"},{"id":"a"}]}`, `orgs[1].id: "a"`},
		"group id empty":           {`{"groups":[{"name":"x"}]}`, "groups[0].id"},
		"group id twice":           {`{"groups":[{"id":"a"},{"id":"a"}]}`, "groups[1].id"},
		"good":                     {memb(`"roles":["csp:org_member"],"groups":["g"],"permissions":["shop/* reports/{org}/*"]`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := usersPath(t, c.text)
			realm, err := Compile(baseConfig(), []string{path})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || realm != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "users: file "+path) {
				t.Errorf("got %v, want an error with the path and %q", err, c.want)
			}
		})
	}
	if _, err := Compile(baseConfig(), []string{"/nonexistent/users.json"}); err == nil || !strings.Contains(err.Error(), "/nonexistent/users.json") {
		t.Errorf("a file that is not there: got %v", err)
	}
	path := usersPath(t, baseUsers)
	if _, err := Compile(baseConfig(), []string{path, path}); err == nil {
		t.Error("one users file given twice was accepted")
	}
}

func TestOrgIsOneLiteral(t *testing.T) {
	realm := must(Compile(baseConfig(), []string{usersPath(t, baseUsers)}))
	held, _ := realm.users.bySubject["example.com:ada"].in("acme")
	if got := held.rights.Canonical(); !strings.Contains(got, `"reports/acme/*"`) {
		t.Errorf("got %s, want {org} replaced", got)
	}
	if _, member := realm.users.bySubject["example.com:ada"].in(""); member {
		t.Error("a user is a member of the empty org")
	}
	for _, org := range []string{"a-b.c", "Ä", "{org}"} {
		text := strings.ReplaceAll(baseUsers, `"acme"`, `"`+org+`"`)
		realm, err := Compile(baseConfig(), []string{usersPath(t, text)})
		if org == "{org}" {
			if err == nil {
				t.Error("an org that is called {org} was replaced by itself")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		held, _ := realm.users.bySubject["example.com:ada"].in(org)
		if !strings.Contains(held.rights.Canonical(), "reports/"+org+"/*") {
			t.Errorf("%s: got %s", org, held.rights.Canonical())
		}
	}
}

// What the users files say now counts for tokens that were issued before.
func TestTokensOfUsersWhoAreGone(t *testing.T) {
	h := newHouse(t)
	ada, nightly := h.adas(), h.nightlys()
	first := h.Server
	for name, c := range map[string]struct {
		users string
		want  scopes.Reason
	}{
		"as it was":    {baseUsers, scopes.ReasonAllowed},
		"gone":         {strings.Replace(baseUsers, `{"id":"ada"`, `{"id":"ada2"`, 1), scopes.ReasonTokenRevoked},
		"disabled":     {strings.Replace(baseUsers, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1), scopes.ReasonTokenRevoked},
		"moved":        {strings.Replace(baseUsers, `"username":"ada","domain":"example.com"`, `"username":"ada","domain":"b.example"`, 1), scopes.ReasonTokenRevoked},
		"logged out":   {strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:00:01Z","id":"ada"`, 1), scopes.ReasonTokenRevoked},
		"before login": {strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:00:00Z","id":"ada"`, 1), scopes.ReasonAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			h.Server = h.serve(must(Compile(baseConfig(), []string{usersPath(t, c.users)})), first.caches, ecKey(), rsaKey())
			for i, token := range []string{ada, nightly} {
				want := []scopes.Reason{c.want, scopes.ReasonAllowed}[i]
				if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != want {
					t.Errorf("the guard: got %s, want %s", v.Reason, want)
				}
				if g := h.exchange("batch", token, shopAud); (g.status == 200) != (want == scopes.ReasonAllowed) {
					t.Errorf("the exchange: got %s, want %s", g.raw, want)
				}
			}
		})
	}
}
