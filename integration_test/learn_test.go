package integration_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// learning registers the credentials in the requests to a token endpoint and
// in its answers, so that no test has to think of it. All clients of the tests
// have it as their transport.
type learning struct{ http.RoundTripper }

// CloseIdleConnections is what http.Client looks for.
func (l learning) CloseIdleConnections() {
	(&http.Client{Transport: l.RoundTripper}).CloseIdleConnections()
}

func (l learning) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/oauth2/token") && !strings.Contains(r.URL.Path, "/am/api/auth/") {
		return l.RoundTripper.RoundTrip(r)
	}
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			sent, _ := io.ReadAll(body) // It is in memory.
			learnRequest(string(sent))
		}
	}
	if _, secret, ok := r.BasicAuth(); ok {
		learn(secret)
	}
	answer, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	data, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	learnAnswer(string(data))
	answer.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil { // Whoever reads on meets it.
		answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data), broken{err}))
	}
	return answer, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// learn registers what is long enough to be a credential.
func learn(values ...string) {
	registered.add(slices.DeleteFunc(values, func(v string) bool { return len(v) < prefixSize })...)
}

// learnRequest registers the credentials of a form.
func learnRequest(body string) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return // Nothing of it is read.
	}
	for _, name := range []string{"client_secret", "password", "code", "code_verifier", "refresh_token", "api_token", "client_assertion"} {
		learn(form[name]...)
	}
}

// inAnswer finds the credentials in an answer of a token endpoint, also where
// it was cut off or stands in other text.
var inAnswer = regexp.MustCompile(`"(?:access_token|refresh_token|id_token)"\s*:\s*"([A-Za-z0-9._~-]{8,})"?`)

func learnAnswer(text string) {
	for _, match := range inAnswer.FindAllStringSubmatch(text, -1) {
		learn(match[1])
	}
}

// tokenShape is what tokens of the issuer look like: JWTs, codes, refresh and
// API tokens.
var tokenShape = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+|[\w~-]+\.[\w~-]+\.(?:\d+\.)?[\w-]{43}|[a-z2-7]{16}\.[A-Z2-7]{52}`)

// learnStory registers what a command of a story sent or printed, and what
// stands in the variables of its shell.
func learnStory(text string) {
	learn(tokenShape.FindAllString(text, -1)...)
	for _, match := range sentInStory.FindAllStringSubmatch(text, -1) {
		learn(match[1:]...)
	}
}

// sentInStory is how stories write secrets: curl -u id:secret, and parameters.
var sentInStory = regexp.MustCompile(`-u [\w.-]+:([\w.-]+)|'(?:` + sentNames + `)=([^']+)'|\b(?:` + sentNames + `)=([^'"&\s]+)`)

const sentNames = "client_secret|password|code|code_verifier|refresh_token|api_token"

func TestLearning(t *testing.T) {
	const (
		jwt     = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLXRoZS10ZXN0LW9mLWxlYXJuaW5n"
		opaque  = "0123456789abcdef.ABCDEFGHIJKLMNOPQRSTUVWXYZ.0.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
		api     = "abcdefghijklmnop.ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ"
		decoded = "a secret with blanks & more"
	)
	transport := learning{answering(`{"access_token":"` + jwt + `", "refresh_token" : "` + opaque + `","state":"not-a-secret"}`)}
	form := url.Values{"code": {"the-code-of-this-test"}, "code_verifier": {"the-verifier-of-this-test"}, "client_secret": {decoded}, "password": {"short"}, "scope": {"not-a-secret"}}
	r, err := http.NewRequest(http.MethodPost, "http://localhost/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("web", "the-basic-secret-of-this-test")
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(data), jwt) {
		t.Errorf("got %q, %v, want the answer", data, err)
	}
	learnStory("TOKEN=" + api + "\ncurl -s x -u web:the-story-secret -d grant_type=password --data-urlencode 'password=alice likes a test'")
	for _, want := range []string{jwt, opaque, "the-code-of-this-test", "the-verifier-of-this-test", decoded, "the-basic-secret-of-this-test", api, "the-story-secret", "alice likes a test"} {
		if len(registered.leaks([]byte("log: "+want))) == 0 {
			t.Errorf("%q is not registered", want)
		}
	}
	if got := registered.leaks([]byte("not-a-secret short")); len(got) != 0 {
		t.Errorf("got %q registered", got)
	}
}

// answering is a transport with one answer.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}
