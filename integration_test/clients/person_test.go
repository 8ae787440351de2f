package clients

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// Alice logs in with this password, whose hash is that of deploy/users.example.json.
const (
	alicePassword = "alice likes tea"
	aliceHash     = "$argon2id$v=19$m=19456,t=2,p=1$4a9xrdOvbIjP8DU7fY+zOQ$GbaavHkJYiH3bQuY8S+tbYN9afItsUd+jyP7WTvjsds"
)

var (
	inputTag  = regexp.MustCompile(`<input [^>]*>`)
	attribute = regexp.MustCompile(` ([a-z]+)(?:="([^"]*)")?`)
)

// filledIn is what a browser sends of a page's form as it stands, with a button.
func filledIn(page, step string) url.Values {
	form := url.Values{"step": {step}}
	for _, tag := range inputTag.FindAllString(page, -1) {
		has := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			has[a[1]] = html.UnescapeString(a[2])
		}
		_, checked := has["checked"]
		_, disabled := has["disabled"]
		if has["type"] == "hidden" || (has["type"] == "checkbox" || has["type"] == "radio") && checked && !disabled {
			form.Add(has["name"], has["value"])
		}
	}
	return form
}

// browse goes to the URL of an authorization request as alice does, who logs in and
// agrees to all that is asked for. It returns the query with which the browser comes
// back to the client. The browser tests of integration_test/browser use a real one.
func browse(t *testing.T, authorize string) url.Values {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(authorize)
	for range 10 {
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		page := string(text)
		here := answer.Request.URL
		switch to, err := answer.Location(); {
		case err == nil && to.Host != here.Host:
			return to.Query()
		case err == nil:
			here, page = to, ""
		}
		switch {
		case page == "":
			answer, err = browser.Get(here.String())
		case strings.Contains(page, `name="password"`):
			form := filledIn(page, "login")
			form.Set("username", "alice")
			form.Set("password", alicePassword)
			answer, err = browser.PostForm(fmt.Sprint("https://", here.Host, here.Path), form)
		case strings.Contains(page, `value="consent"`):
			answer, err = browser.PostForm(fmt.Sprint("https://", here.Host, here.Path), filledIn(page, "consent"))
		default:
			t.Fatalf("%s: neither a login nor a consent: %s", answer.Status, page)
		}
	}
	t.Fatal("the browser did not come back to the client")
	return nil
}

// openRedis opens the store of a server, and closes it with the test.
func openRedis(t *testing.T, server *redistest.Server, issuer string) tokenexchange.Store {
	t.Helper()
	store, err := redisstore.Open(redisstore.Options{Addresses: []string{server.Addr()}, Issuer: issuer, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}
