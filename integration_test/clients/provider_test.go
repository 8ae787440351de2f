package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// provider is npm oidc-provider in a process of its own.
type provider struct {
	t      *testing.T
	url    string
	values map[string]string // of the $names, during one case
}

func newProvider(t *testing.T, robot robot) *provider {
	t.Helper()
	cmd := exec.Command(outside.Node(t, "npm", "oidc-provider"), "--no-warnings", "oidc-provider.mjs")
	cmd.Dir = "npm"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "ROBOT_KEY=" + robot.pem}
	url, stop, err := outside.StartProgram(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &provider{t: t, url: url}
}

// constants are those of tokenexchange/parameters_fixture_test.go that stand in
// requests that are refused.
var constants = map[string]string{
	"password": "correct horse battery staple", "callback": callback,
	"verifier":  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	"challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
	"shop":      "https://shop.example.com", "crm": "https://crm.example.com", "issuer": "https://auth.example.com",
	"upstream":       "urn:scopegate:upstream:shop",
	"access_token":   "urn:ietf:params:oauth:token-type:access_token",
	"id_token":       "urn:ietf:params:oauth:token-type:id_token",
	"account":        "urn:vmware:params:oauth:token-type:acct",
	"token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
	"vmware":         "urn:vmware:params:oauth:grant-type",
	"jwt_bearer":     "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	"read":           scopeOf("orders/eu/1"), "read_other": scopeOf("orders/eu/2"), "read_all": scopeOf("**"), "some_held": scopeOf(`orders/eu/1","secretly/1`),
	"x42": strings.Repeat("x", 42), "x129": strings.Repeat("x", 129), "slash": strings.Repeat("x", 43) + "/",
	"state_over": strings.Repeat("s", 1025),
}

func scopeOf(resource string) string {
	return `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["` + resource + `"]}]}]}`
}

func secretOf(client string) string { return client + "/+%secret%41+of~22 chars" }

// value returns what a $name stands for: what oidc-provider has in the place of
// our codes and tokens, the same during one case.
func (p *provider) value(name string) string {
	p.t.Helper()
	if text, ok := constants[name]; ok {
		return text
	}
	if client, ok := strings.CutPrefix(name, "secret_of_"); ok {
		return secretOf(client)
	}
	if p.values[name] == "" {
		answer, err := http.Get(p.url + "/make/" + name)
		if err != nil {
			p.t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			p.t.Fatalf("making %s: %v %s", name, err, text)
		}
		p.values[name] = string(text)
	}
	return p.values[name]
}

// answer sends a request to the token endpoint, and returns status and error.
func (p *provider) answer(a asked) string {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.url+"/token"+a.query, strings.NewReader(a.body))
	if err != nil {
		p.t.Fatal(err)
	}
	if a.kind != "" {
		r.Header.Set("Content-Type", a.kind)
	}
	if a.client != "" {
		r.SetBasicAuth(url.QueryEscape(a.client), url.QueryEscape(secretOf(a.client)))
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer got.Body.Close()
	var body struct{ Error string }
	if err := json.NewDecoder(got.Body).Decode(&body); err != nil {
		p.t.Fatalf("%s: %v", got.Status, err)
	}
	return strings.TrimSpace(got.Status[:3] + " " + body.Error)
}
