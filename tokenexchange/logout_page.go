package tokenexchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

const pageStyle = `body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:15vh auto;padding:0 1rem;color:#1b1b1b;background:#fff}` +
	`button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.3rem;color:#fff;background:#0b57d0;cursor:pointer}`

// pageStyleHash lets the page have this style and no other (CSP level 3).
var pageStyleHash = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// logoutPage escapes what it shows by the place where it stands.
var logoutPage = template.Must(template.New("logout").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{if .Ask}}Log out{{else}}Logged out{{end}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
{{- if .Ask}}
<h1>Log out of {{.Name}}?</h1>
<p>This ends your login, here and in every application that uses it.</p>
<form method="post" action="{{.Action}}">
{{- range .Fields}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{- end}}
<button type="submit">Log out</button>
</form>
{{- else}}
<h1>You are logged out of {{.Name}}</h1>
<p>You can close this window.</p>
{{- end}}
</main>
</body>
</html>
`))

type logoutView struct {
	Ask          bool
	Name, Action string
	Style        template.CSS
	Fields       []field
}

type field struct{ Name, Value string }

// ask shows a page with one button. It is what a user sees who was sent here.
func (l leaving) ask(w http.ResponseWriter) {
	fields := []field{{"id_token_hint", l.hint}}
	if l.uri != "" {
		fields = append(fields, field{"post_logout_redirect_uri", l.uri})
	}
	if l.state != "" {
		fields = append(fields, field{"state", l.state})
	}
	l.show(w, logoutView{Ask: true, Fields: fields})
}

// ended tells a user who goes nowhere else.
func (l leaving) ended(w http.ResponseWriter) { l.show(w, logoutView{}) }

// goOn sends the browser on, with a GET whatever it came with.
func (l leaving) goOn(w http.ResponseWriter) {
	pageHeaders(w.Header(), "")
	w.Header().Set("Location", l.next())
	w.WriteHeader(http.StatusSeeOther)
}

func (l leaving) show(w http.ResponseWriter, v logoutView) {
	v.Name, v.Action, v.Style = l.client.displayName, logoutPath, pageStyle
	var page bytes.Buffer
	if err := logoutPage.Execute(&page, v); err != nil {
		panic(err) // The template has no part that can fail.
	}
	pageHeaders(w.Header(), l.uri)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(page.Bytes()) // The client is gone if this fails.
}

// pageHeaders let a page run nothing, load nothing, be in no frame and tell
// nobody its address, which may have a token in it. Browsers let a form go only
// where the policy says, also by a redirect.
func pageHeaders(h http.Header, next string) {
	noStore(h)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+pageStyleHash+
		"; form-action 'self'"+formTarget(next)+"; base-uri 'none'; frame-ancestors 'none'")
}

// formTarget is the source expression of a registered URI, "" for none and for
// one that a policy cannot say.
func formTarget(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case uri == "" || err != nil || strings.ContainsAny(u.Host, ";,'"):
		return ""
	case u.Host == "":
		return " " + u.Scheme + ":"
	}
	return " " + u.Scheme + "://" + u.Host
}
