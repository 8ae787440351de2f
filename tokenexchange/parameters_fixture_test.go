package tokenexchange

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/scopes"
)

// fullHouse is a server with every grant, for testdata/parameters.txt.
type fullHouse struct {
	*house
	values map[string]string // of the $names, made when they are first used
}

// everyGrant is the configuration of the table: that of all logins and of all
// exchanges. ada is in three groups, and web may tell two of them.
func everyGrant(t testing.TB) *fullHouse {
	t.Helper()
	change := func(c *Config) {
		logins(c)
		delegates(c)
		web := c.client("web")
		web.Scope, web.MaxGroupsInIDToken = append(web.Scope, "group_ids"), 2
		web.Allow = append(web.Allow, AllowConfig{Grant: "audience_exchange", By: []string{"portal", "both"}}, AllowConfig{Grant: "client_delegate", By: []string{"both"}})
		batch := c.client("batch")
		batch.AcceptSubjectIP, batch.MaxGroupsInIDToken = true, 2
		batch.Permit = lines("shop/* **", "crm/* **")
		portal := confidential("portal", "audience_exchange")
		portal.Permit, portal.TargetAudiences, portal.Scope = lines("shop/* **"), []string{shopAud}, []string{"openid"}
		both := confidential("both", "audience_exchange", "client_delegate")
		both.Permit, both.TargetAudiences = lines("shop/* **"), []string{shopAud}
		signer := ClientConfig{
			ID: "signer", JWKSFile: "signer.json", JWKS: []byte(`{"keys":[` + jwk(robotKey().Public(), "") + `]}`),
			GrantTypes: []string{"client_credentials"}, Own: lines("shop/orders.read **"),
		}
		c.Clients = append(c.Clients, portal, both, signer)
		keyring(c)
	}
	users := strings.Replace(operators, `{"id":"g1","name":"G"}`, `{"id":"g1","name":"G"},{"id":"g2","name":"H"},{"id":"g3","name":"I"}`, 1)
	users = strings.Replace(users, `"groups":["g1"]`, `"groups":["g1","g2","g3"]`, 1)
	users = strings.Replace(users, `{"orgs"`, `{"api_tokens":[`+adasEntry+`],"orgs"`, 1)
	h := &fullHouse{house: newHouse(t), values: map[string]string{}}
	cfg := baseConfig()
	change(&cfg)
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, users)})), h.caches, ecKey(), rsaKey())
	return h
}

// adasKey is an API token of ada, and adasEntry what the users file has of it.
var adasKey, adasEntry = func() (string, string) {
	token, entry, err := NewAPIToken(APIToken{
		User: "example.com:ada", Org: "acme", Client: "web", Permissions: []string{"shop/orders.read orders/eu/**"}, Expires: "2026-06-01T00:00:00Z",
	}, start)
	return secret("an API token", must(token, err)), string(must(json.Marshal(entry)))
}()

// constants are what the table calls by a short name.
var constants = map[string]string{
	"password": password, "callback": callback, "verifier": verifier, "challenge": pkceChallenge,
	"shop": shopAud, "crm": crmAud, "issuer": issuer, "upstream": "urn:scopegate:upstream:shop",
	"access_token": accessURN, "id_token": idURN, "account": acctURN, "token_exchange": exchangeGrant, "vmware": strings.TrimSuffix(vmwarePrefix, ":"),
	"api_token": adasKey, "jwt_bearer": assertionType,
	"read": scopeOf("orders.read", "orders/eu/1"), "read_other": scopeOf("orders.read", "orders/eu/2"),
	"read_all": scopeOf("orders.read", "**"), "some_held": scopeOf("orders.read", "orders/eu/1", "secretly/1"),
	"x42": strings.Repeat("x", 42), "x43": strings.Repeat("x", 43), "x128": strings.Repeat("x", 128), "x129": strings.Repeat("x", 129),
	"slash":    strings.Repeat("x", 43) + "/",
	"state_1k": strings.Repeat("s", maxState), "state_over": strings.Repeat("s", maxState+1),
}

// make returns what the server or a login has to make first, "" for an unknown
// name.
func (h *fullHouse) make(name string) string {
	h.t.Helper()
	switch name {
	case "ada":
		return h.loggedIn()
	case "ada_narrow":
		return h.loggedIn("allowed_resource_scope", constants["read"])
	case "ada_plain":
		return h.loggedIn("scope", "orders")
	case "ada_id":
		return h.idOf("web", "ada")
	case "refresh":
		return h.tokensOf()
	case "code":
		return h.code(h.t)
	case "code_groups":
		return h.code(h.t, func(c *Code) { c.Scope = "openid group_ids" })
	case "code_stateless":
		return h.code(h.t, func(c *Code) { c.State = "" })
	case "code_x42", "code_x43", "code_x128", "code_x129", "code_slash":
		verifier := constants[strings.TrimPrefix(name, "code_")]
		return h.code(h.t, func(c *Code) { c.Challenge = challengeOf(c.Method, verifier) })
	case "code_open":
		return h.code(h.t, func(c *Code) { c.Client, c.Challenge, c.Method, c.Scope = "legacy", "", "", "" })
	case "code_phone":
		return h.code(h.t, func(c *Code) { c.Client, c.RedirectURI, c.Scope = "phone", "http://127.0.0.1:49152/done", "openid" })
	case "nightly":
		return h.nightlys()
	case "batch", "agent":
		return h.token(name, "grant_type", "client_credentials").granted(h.t)
	case "mobile": // ada, through a client that allows nobody anything
		return h.do(form(pairs("client_id", "mobile", "grant_type", "password", "username", "ada", "password", password))).granted(h.t)
	case "assertion":
		return says(as("signer")).robot()
	case "assertion_forged":
		return says(as("signer")).sign(jwt.SigningMethodES256, secondKey())
	case "assertion_used":
		raw := says(as("signer")).robot()
		h.assert(raw).granted(h.t)
		return raw
	case "exchanged":
		return h.exchange("batch", h.value("ada"), shopAud).granted(h.t)
	case "delegated":
		return h.delegate("agent", h.value("ada"), "audience", shopAud).granted(h.t)
	case "olga", "oleg":
		return h.operator(name)
	case "olga_id":
		return h.idOf("console", "olga")
	case "impersonated":
		return h.impersonate("console", h.value("olga"), "ada@example.com").granted(h.t)
	}
	return ""
}

// idOf returns the id token of a login.
func (h *fullHouse) idOf(client, user string) string {
	id, _ := h.token(client, "grant_type", "password", "username", user, "password", password).body["id_token"].(string)
	return secret("an id token", id)
}

// value returns what a $name stands for: the same during one case.
func (h *fullHouse) value(name string) string {
	h.t.Helper()
	if text, ok := constants[name]; ok {
		return text
	}
	if client, ok := strings.CutPrefix(name, "secret_of_"); ok {
		return secretOf(client)
	}
	if h.values[name] == "" {
		h.values[name] = h.make(name)
	}
	if h.values[name] == "" {
		h.t.Fatalf("$%s stands for nothing", name)
	}
	return h.values[name]
}

var dollar = regexp.MustCompile(`\$[a-z0-9_]+`)

// filled puts the values of $names in, escaped as their place needs.
func (h *fullHouse) filled(text string, escape func(string) string) string {
	return dollar.ReplaceAllStringFunc(text, func(name string) string {
		value := h.value(name[1:])
		if escape == nil {
			return value
		}
		return escape(value)
	})
}

// view tells one thing about an answer, as the table writes it.
func (h *fullHouse) view(t testing.TB, g got, name string) string {
	t.Helper()
	token := g.body["access_token"].(string)
	claims := claimsOf(t, token)
	kind, member, _ := strings.Cut(name, ".")
	switch kind {
	case "answer":
		return shown(g.body[member])
	case "record":
		return shown(g.record[member])
	case "access":
		return shown(claims[member])
	case "id":
		raw, _ := g.body["id_token"].(string)
		if raw == "" {
			return "no id token"
		}
		return shown(claimsOf(t, raw)[member])
	case "life":
		life := claims["exp"].(float64) - claims["iat"].(float64)
		if g.body["expires_in"] != life {
			t.Errorf("expires_in is %v, and the token lives for %v s", g.body["expires_in"], life)
		}
		return shown(life)
	case "family":
		family, err := h.state.Families().Load(t.Context(), claims["grant_id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return shown(family.RefreshEnd.Sub(start).Seconds())
	case "act":
		return shown(actorsOf(t, token))
	case "rights":
		return entriesOf(t, token)
	case "tokens":
		return tokensOf(g)
	}
	t.Fatalf("there is no view %q", name)
	return ""
}

// tokensOf lists what an answer has, and of which kind access_token is.
func tokensOf(g got) string {
	kinds := []string{fmt.Sprint(g.body["token_type"])}
	for _, name := range []string{"id_token", "refresh_token"} {
		if g.body[name] != nil {
			kinds = append(kinds, name)
		}
	}
	return strings.Join(kinds, ",")
}

// entriesOf writes allowed_resource_scope shorter, "none" where it is absent.
func entriesOf(t testing.TB, raw string) string {
	t.Helper()
	text := setOf(t, raw)
	if text == "" {
		return "none"
	}
	var list []string
	for _, e := range must(scopes.ParseSet([]byte(text))).Entries() {
		list = append(list, e.Service+"/"+e.Permission+":"+e.Resource.String())
	}
	return strings.Join(list, ",")
}

func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return "none"
	case []string:
		return strings.Join(v, ",")
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, shown(e))
		}
		return strings.Join(list, ",")
	case map[string]any:
		return string(must(json.Marshal(v)))
	}
	return fmt.Sprint(value)
}
