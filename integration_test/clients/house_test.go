package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	// clientSecret has characters that form encoding changes. Some clients
	// encode it in the header, as RFC 6749 section 2.3.1 has it, and some do not.
	clientSecret = "a/b+secret of~22 %41=chars&"
	callback     = "https://web.example.com/callback"
	upstreamAud  = "urn:scopegate:upstream:"
	// patience bounds what may take long on a slow and busy machine.
	patience = 60 * time.Second
)

// house is a running server with its store, its users, and an API behind it.
type house struct {
	t        *testing.T
	issuer   string
	shop     string // the site with the guard of the service shop
	wave     string // the site with the guard of the service wavefront
	apiToken string // of alice, for the client reporter
	robotKey string // PKCS #8, PEM
	upstream *upstream

	outside.Server
}

// newHouse starts everything, and stops it when the test ends.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, upstream: newUpstream(t), Server: outside.Server{Dir: t.TempDir()}}
	redis := redistest.Start(t, redistest.NoSync)
	for _, url := range []*string{&h.issuer, &h.shop, &h.wave} {
		*url = fmt.Sprint("https://127.0.0.1:", outside.FreePort(t))
	}
	h.writeFiles()
	h.start("ISSUER="+h.issuer, "SHOP="+h.shop, "WAVEFRONT="+h.wave, "UPSTREAM="+h.upstream.URL,
		"REDIS="+redis.Addr(), "CERTIFICATES="+scratch, "CLIENT_SECRET="+clientSecret)
	return h
}

// writeFiles writes what the Caddyfile names.
func (h *house) writeFiles() {
	h.t.Helper()
	token, entry, err := tokenexchange.NewAPIToken(tokenexchange.APIToken{
		User: "example.com:alice", Org: "acme", Client: "reporter", Permissions: []string{"wavefront/points.write **"},
		Expires: time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	h.apiToken = token
	var robots string
	h.robotKey, robots = signer(h.t)
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		h.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Caddyfile": string(caddyfile), "state.key": outside.StateKey(), "robot.jwks": robots,
		"es256.pem": signingKey(h.t, "ES256"), "rs256.pem": signingKey(h.t, "RS256"),
		"users.json": fmt.Sprintf(`{"orgs":[{"id":"acme","name":"Acme"}],"users":[{
			"id":"alice","username":"alice","domain":"example.com","email":"alice@example.com","email_verified":true,
			"given_name":"Alice","family_name":"Archer","password_hash":"%s","memberships":[
				{"org":"acme","permissions":["shop/orders.read orders/**","wavefront/points.write **"]}]}],
			"api_tokens":[%s]}`, aliceHash, jsonOf(h.t, entry)),
	} {
		if err := os.WriteFile(filepath.Join(h.Dir, name), []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start runs the binary and waits until it is ready.
func (h *house) start(env ...string) {
	h.t.Helper()
	h.Env = env
	h.t.Cleanup(h.stop)
	if err := h.Exec(); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Await(func() bool { return outside.Ready(http.DefaultClient, h.shop) }); err != nil {
		h.t.Fatal(err)
	}
}

// stop ends the process, and looks for what its log must not have.
func (h *house) stop() {
	if err := h.Stop(); err != nil {
		h.t.Error(err)
	}
	for _, found := range outside.Findings(h.Log(), map[string]string{clientSecret: "the secret of all clients"}) {
		h.t.Errorf("the log has %s", found)
	}
}

// records are the audit records of the token endpoint, in their order.
func (h *house) records() (list []map[string]any) {
	for line := range strings.SplitSeq(h.Log(), "\n") {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "decision" && record["endpoint"] == "token" {
			list = append(list, record)
		}
	}
	return list
}
