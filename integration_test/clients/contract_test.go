package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// TestContract asks a server for every answer that docs/openapi.yaml documents,
// and holds every answer against the page: an answer that is not documented
// fails, and so does one that is documented and did not come. npm/contract.mjs
// compares.
func TestContract(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	c.starting()
	c.walkTokens()
	c.walkParameters()
	c.walkAPITokens()
	c.walkPushed()
	c.walkAuthorizations()
	c.walkAbout()
	c.walkLogouts()
	c.walkUsers()
	c.walkDocuments()
	c.walkMethods()
	c.throttled()
	c.begun()
	c.halfWritten()
	c.storeAway()
	c.faults()
	c.floods()
	c.late()
	c.compare()
}

// exchangeOf is one request and its answer, as npm/contract.mjs reads them.
type exchanged struct {
	Method  string              `json:"method"`
	Path    string              `json:"path"`
	Sent    map[string]string   `json:"sent,omitempty"` // headers
	Body    string              `json:"body,omitempty"`
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers"`
	Answer  string              `json:"answer"`

	said map[string]any
}

// question is a request.
type question struct {
	method, path, client string
	sent                 map[string]string
	body                 string
	elsewhere            string // the site, if it is not the issuer's
}

// form asks for something with parameters: name, value, name, value. An empty
// client sends no header.
func form(path, client string, params ...string) question {
	return question{method: http.MethodPost, path: path, client: client, sent: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: encode(params...)}
}

// with changes a header.
func (q question) with(name, value string) question {
	sent := map[string]string{name: value}
	for n, v := range q.sent {
		if n != name {
			sent[n] = v
		}
	}
	q.sent = sent
	return q
}

// ask sends a request to the process, from an address of its own: a table of
// failures is not meant to be slowed down. It comes from a script of the client
// phone, if it does not say otherwise.
func (c *contract) ask(q question) exchanged {
	c.t.Helper()
	site := c.issuer
	if q.elsewhere != "" {
		site = q.elsewhere
	}
	r := c.request(site, q)
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	return c.keep(q, r, answer.StatusCode, answer.Header, body)
}

// askWithin sends a request to a server in this process.
func (c *contract) askWithin(server http.Handler, q question) exchanged {
	c.t.Helper()
	r, w := c.request("", q), httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return c.keep(q, r, w.Code, w.Header(), w.Body.Bytes())
}

func (c *contract) request(site string, q question) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), q.method, site+q.path, strings.NewReader(q.body))
	if err != nil {
		c.t.Fatal(err)
	}
	n := c.peers.Add(1)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n/256, n%256))
	r.Header.Set("Origin", appOrigin)
	if q.client != "" {
		r.SetBasicAuth(q.client, clientSecret)
	}
	for name, value := range q.sent {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	return r
}

// keep keeps what was answered for the comparison.
func (c *contract) keep(q question, r *http.Request, status int, header http.Header, body []byte) exchanged {
	path, _, _ := strings.Cut(q.path, "?")
	e := exchanged{
		Method: q.method, Path: strings.Replace(path, "//", "/", 1), Body: q.body, Status: status, Headers: header, Answer: string(body),
		Sent: map[string]string{"content-type": r.Header.Get("Content-Type"), "origin": r.Header.Get("Origin")},
	}
	_ = json.Unmarshal(body, &e.said) // Not every answer is JSON.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, e)
	return e
}

// granted wants 200.
func (c *contract) granted(q question) exchanged {
	c.t.Helper()
	got := c.ask(q)
	if got.Status != http.StatusOK {
		c.t.Errorf("%s %s, %s: got %d %s, want 200", q.method, q.path[:min(len(q.path), 60)], q.body[:min(len(q.body), 60)], got.Status, got.Answer)
	}
	return got
}

// refused wants a refusal for this reason.
func (c *contract) refused(status int, reason string, q question) {
	c.t.Helper()
	c.wants(status, reason, q, c.ask(q))
}

func (c *contract) wants(status int, reason string, q question, got exchanged) {
	c.t.Helper()
	if got.Status != status || got.said["cspErrorCode"] != reason {
		c.t.Errorf("%s %s, %s: got %d %s, want %d %s", q.method, q.path[:min(len(q.path), 60)], q.body[:min(len(q.body), 60)], got.Status, got.Answer, status, reason)
	}
}

// compare has the page compared with what was answered.
func (c *contract) compare() {
	c.t.Helper()
	node := outside.Node(c.t, "npm", "@seriousme/openapi-schema-validator", "ajv")
	cmd := exec.CommandContext(c.t.Context(), node, "contract.mjs", "../../../docs/openapi.yaml")
	cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = "npm", outside.DieWithParent(), patience
	cmd.Stdin = bytes.NewReader([]byte(jsonOf(c.t, c.kept)))
	out, err := cmd.CombinedOutput()
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		c.t.Log(line)
	}
	if err != nil {
		c.t.Errorf("contract.mjs: %v", err)
	}
}
