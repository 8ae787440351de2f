package tokenexchange

import (
	"net/url"
	"regexp"
	"strings"
)

// pageOf are what the pages are known by: a button, or a title.
var pageOf = map[string]string{
	"login": `name="step" value="login"`, "organization": `name="step" value="organization"`, "consent": `name="step" value="consent"`,
	"account": `name="step" value="logout"`, "logout": "<title>Log out</title>", "logged out": "<title>Logged out</title>",
	"failure": "<details>",
}

// sees holds the page against the one that should be there.
func (b *browser) sees(page string) *browser {
	b.t.Helper()
	if !strings.Contains(b.page, pageOf[page]) || pageOf[page] == "" {
		b.t.Fatalf("got %d at %s, want the page %s\n%v\n%s", b.code, b.at, page, b.record(), b.text())
	}
	if b.code != 200 && page != "failure" && b.record()["allowed"] == true {
		b.t.Errorf("got %d with the page %s", b.code, page)
	}
	return b
}

// text is the page without its looks.
func (b *browser) text() string {
	_, text, _ := strings.Cut(b.page, "</head>")
	return text
}

// record is the last audit record.
func (b *browser) record() map[string]any {
	if len(b.records) == 0 {
		return nil
	}
	return b.records[len(b.records)-1]
}

// reason is what the last audit record says.
func (b *browser) reason() string {
	reason, _ := b.record()["reason"].(string)
	return reason
}

// turnedDown holds an answer against a refusal that the person is shown, and that
// leads nowhere else.
func (b *browser) turnedDown(status int, reason string) *browser {
	b.t.Helper()
	r := b.record()
	if b.code != status || b.reason() != reason || r["allowed"] != false || b.header.Get("Location") != "" {
		b.t.Errorf("got %d %v to %q, want %d %s shown\n%v", b.code, b.reason(), b.header.Get("Location"), status, reason, r)
	}
	if id := b.header.Get(decisionHeader); id == "" || r["decision_id"] != id {
		b.t.Errorf("the decision ids of header and record differ: %q, %v", id, r["decision_id"])
	}
	if (status == 429 || status == 503) != (b.header.Get("Retry-After") != "") {
		b.t.Errorf("got Retry-After %q with %d", b.header.Get("Retry-After"), status)
	}
	return b
}

// back is what the client is told, by redirect.
func (b *browser) back() url.Values {
	b.t.Helper()
	where, query, _ := strings.Cut(b.header.Get("Location"), "?")
	if b.code != 303 || where != callback || b.page != "" {
		b.t.Fatalf("got %d at %s, want 303 back to the client: %v\n%s", b.code, b.at, b.record(), b.text())
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		b.t.Fatal(err)
	}
	if q.Get("iss") != issuer || q.Get("state") != "af0ifjsldkj" {
		b.t.Errorf("got iss %q and state %q", q.Get("iss"), q.Get("state"))
	}
	for name, values := range q {
		if len(values) != 1 {
			b.t.Errorf("%s stands there %d times", name, len(values))
		}
	}
	return q
}

// granted returns the code that the client is given.
func (b *browser) granted() string {
	b.t.Helper()
	q := b.back()
	if q.Get("code") == "" || len(q) != 3 || b.record()["allowed"] != true || b.record()["grant"] != authorizationCode {
		b.t.Fatalf("got %v, want a code, a state and an iss\n%v", q, b.record())
	}
	return q.Get("code")
}

// denied holds what the client is told against an error, and its reason.
func (b *browser) denied(code, reason string) {
	b.t.Helper()
	q := b.back()
	if q.Get("error") != code || q.Get("code") != "" || q.Get("error_description") == "" || q.Get("error_uri") != errorPage+reason {
		b.t.Errorf("got %v, want %s for %s", q, code, reason)
	}
	if b.record()["allowed"] != false || b.reason() != reason {
		b.t.Errorf("got the record %v, want %s", b.record(), reason)
	}
}

var endButton = regexp.MustCompile(`name="id" value="([^" ]+)">\s*<button name="step" value="end-session"`)

// sessions are the ids of those that the account page lists.
func (b *browser) sessions() (ids []string) {
	for _, m := range endButton.FindAllStringSubmatch(b.page, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

var revokeButton = regexp.MustCompile(`name="id" value="([^"]+)">\s*<button name="step" value="revoke"`)

// grants are the ids of those that the account page lists.
func (b *browser) grants() (ids []string) {
	for _, m := range revokeButton.FindAllStringSubmatch(b.page, -1) {
		ids = append(ids, m[1])
	}
	return ids
}
