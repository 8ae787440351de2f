package tokenexchange

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// ledger collects, over the whole test run, what was secret and what was shown
// to logs and in answers to refused requests. At the end the two are held
// against each other.
var ledger = struct {
	sync.Mutex
	secrets map[string]string // what it is, by value
	shown   bytes.Buffer
}{secrets: map[string]string{}}

// secret registers a value that must not be shown, and returns it.
func secret(what, value string) string {
	if len(value) < 8 {
		panic(what + " is too short to be told from other text")
	}
	ledger.Lock()
	defer ledger.Unlock()
	key := value
	if len(key) > 64 {
		key, what = key[len(key)-32:], "the end of "+what
	}
	ledger.secrets[key] = what
	return value
}

// carried are the names under which requests and answers carry secrets.
var carried = []string{
	"client_secret", "client_assertion", "password", "code", "code_verifier", "refresh_token", "api_token", "access_token", "id_token",
	"subject_token", "actor_token", "token", "id_token_hint", "idToken",
}

// shortest is the length of the shortest secret: ids are shorter. A value with an
// @ is an account, which is no secret either.
const shortest = 20

// sending registers the credentials in the form of a request.
func sending(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	form, _ := url.ParseQuery(string(body)) // As far as it can be read.
	for _, name := range carried {
		for _, value := range form[name] {
			if len(value) >= shortest && strings.Trim(value, value[:1]) != "" && !strings.Contains(value, "@") {
				secret(name+" that was sent", value)
			}
		}
	}
}

// broken ends a body as the one ended that was read before.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}

// issuing registers the tokens of a successful answer.
func issuing(answer map[string]any) {
	for _, name := range carried {
		if token, ok := answer[name].(string); ok {
			secret("issued "+name, token)
		}
	}
}

// What tests outside of the package use.
var (
	SecretInTests           = secret
	ShownInTests  io.Writer = showing{}
)

// showing is an io.Writer for everything that outsiders or operators read.
type showing struct{}

func (showing) Write(b []byte) (int, error) {
	ledger.Lock()
	defer ledger.Unlock()
	return ledger.shown.Write(b)
}

func TestMain(m *testing.M) {
	code := m.Run()
	shown := ledger.shown.Bytes()
	fmt.Printf("%d secrets were registered, and %d MB searched for them\n", len(ledger.secrets), len(shown)>>20)
	for _, finding := range leaks(shown, ledger.secrets) {
		fmt.Println(finding)
		code = 1
	}
	os.Exit(code)
}

// leaks names the secrets in what was shown. It looks up each eight bytes, so
// that thousands of secrets take one pass.
func leaks(shown []byte, secrets map[string]string) (findings []string) {
	type prefix [8]byte
	begin := map[prefix][]string{}
	for value := range secrets {
		begin[prefix([]byte(value))] = append(begin[prefix([]byte(value))], value)
	}
	found := map[string]bool{}
	for at := range max(0, len(shown)-len(prefix{})+1) {
		for _, value := range begin[prefix(shown[at:])] {
			if !found[value] && bytes.HasPrefix(shown[at:], []byte(value)) {
				found[value] = true
				from, to := max(0, at-120), min(len(shown), at+len(value)+40)
				findings = append(findings, fmt.Sprintf("%s was shown in a log or in the answer to a refused request: ...%s...", secrets[value], shown[from:to]))
			}
		}
	}
	return findings
}

// A search that finds nothing is worth nothing unless it finds what is there.
func TestLeaksAreFound(t *testing.T) {
	secrets := map[string]string{"12345678": "a short one", "12345678-longer": "a longer one", "elsewhere": "another"}
	for shown, want := range map[string]int{
		"": 0, "1234567": 0, "x12345678": 1, "12345678": 1, "a 12345678-longer b 12345678": 2, "12345678-longe": 1, "1234567812345678": 1,
	} {
		if got := leaks([]byte(shown), secrets); len(got) != want {
			t.Errorf("%q: got %q, want %d", shown, got, want)
		}
	}
}
