package pages

import (
	"encoding/base64"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`

// folder writes what replaces the pages.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplacedLook(t *testing.T) {
	p := must(New(folder(t, map[string]string{
		"style.css":         "\uFEFFh1{color:red}\r\nbody{background:url(https://evil.example/x)}\r/* end */",
		"logo.svg":          svg,
		"texts/en.json":     `{"brand": "Acme & \"Sons\""}`,
		".gitignore":        "x",
		"texts/.keep":       "",
		"templates/.x.html": "{{",
	})))
	w := shown(t, p, asking("en"), LoggedOut{}, Options{})
	doc := parsed(t, w.Body.String())
	style := elements(doc, "style")[0].FirstChild.Data
	if !strings.HasSuffix(style, "h1{color:red}\nbody{background:url(https://evil.example/x)}\n/* end */") || !strings.HasPrefix(style, string(builtin["style.css"])) || strings.Contains(style, "\uFEFF") {
		t.Errorf("got the style %s", style)
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "; img-src data:; form-action 'self'; ") || !strings.HasPrefix(policy, "default-src 'none'; style-src "+p.hash+";") {
		t.Errorf("got the policy %s", policy)
	}
	if want, _ := readLook(files{"style.css": []byte(strings.TrimPrefix(style, string(builtin["style.css"])))}); want.hash != p.hash {
		t.Errorf("the hash is not that of the style as a browser reads it")
	}
	img := elements(doc, "img")
	if len(img) != 1 || attr(img[0], "src") != "data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString([]byte(svg)) || attr(img[0], "alt") != `Acme & "Sons"` {
		t.Errorf("got the logo %v", img)
	}
}

func TestReplacedTexts(t *testing.T) {
	p := must(New(folder(t, map[string]string{
		"texts/en.json": `{"login.title": "Sign in <b>now</b>", "permission.shop/orders.read": "See what you bought", "service.shop": "The shop", "scope.loyalty": "Count your points", "reason.parameter_missing": "Call us."}`,
		"texts/pl.json": `{"login.title": "Zaloguj się", "duration.minute.few": "{n} minuty", "duration.minute.many": "{n} minut"}`,
		"texts/he.json": `{"direction": "rtl", "consent.deny": "דחה"}`,
		"texts/de.json": `{"consent.allow": "Zulassen"}`,
	})))
	consent := asked()
	consent.Scopes = append(consent.Scopes, Scope{Value: "loyalty"})
	for _, c := range []struct {
		lang    string
		page    Page
		want    []string
		without []string
	}{
		{"en", Login{}, []string{"Sign in <b>now</b>"}, nil},
		{"pl", Login{Password: true, Problem: "too_many_attempts", Wait: 180}, []string{"Zaloguj się", "wait 3 minuty", "User name"}, []string{"Sign in"}},
		{"pl", Login{Password: true, Problem: "too_many_attempts", Wait: 300}, []string{"wait 5 minut,"}, nil},
		{"de", Login{}, []string{"Anmelden"}, []string{"Sign in"}},
		{"en", consent, []string{"The shop See what you bought orders.read", "Count your points loyalty"}, nil},
		{"de", consent, []string{"The shop See what you bought orders.read", "Ablehnen Zulassen"}, nil},
		{"he", consent, []string{"דחה Allow"}, nil},
		{"en", Failure{Reason: "parameter_missing"}, []string{"Call us."}, nil},
	} {
		doc := parsed(t, shown(t, p, asking(c.lang), c.page, Options{}).Body.String())
		text := words(elements(doc, "main")[0])
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s, %s: %q is not in %s", c.page.name(), c.lang, want, text)
			}
		}
		for _, no := range c.without {
			if strings.Contains(text, no) {
				t.Errorf("%s, %s: %q is in %s", c.page.name(), c.lang, no, text)
			}
		}
		page := elements(doc, "html")[0]
		if dir := map[bool]string{true: "rtl", false: "ltr"}[c.lang == "he"]; attr(page, "lang") != c.lang || attr(page, "dir") != dir {
			t.Errorf("%s: got %v", c.lang, page.Attr)
		}
	}
}

func TestReplacedTemplate(t *testing.T) {
	p := must(New(folder(t, map[string]string{"templates/logged-out.html": `
{{define "title"}}Bye{{end}}
{{define "main"}}<h1>Bye, {{.Client}}</h1>{{end}}`})))
	doc := parsed(t, shown(t, p, asking("en"), LoggedOut{Client: "<b>"}, Options{}).Body.String())
	if words(elements(doc, "title")[0]) != "Bye" || words(elements(doc, "h1")[0]) != "Bye, <b>" {
		t.Errorf("got %s", words(doc))
	}
	if got := words(elements(parsed(t, shown(t, p, asking("en"), Login{}, Options{}).Body.String()), "h1")[0]); got != "Log in" {
		t.Errorf("another page: got %s", got)
	}
}

// TestReplacedTemplateThatFails has a template that was good with all samples. The
// person goes on, and the operator is told where it failed, not of what.
func TestReplacedTemplateThatFails(t *testing.T) {
	p := must(New(folder(t, map[string]string{"templates/logged-out.html": `{{define "title"}}x{{end}}{{define "main"}}<h1>x</h1>{{if gt (len .Client) 9}}{{index .Client 99}}{{end}}{{end}}`})))
	w := httptest.NewRecorder()
	err := p.Show(w, asking("en"), 200, LoggedOut{Client: "a client that is long"}, Options{})
	if err == nil || err.Error() != "the template main failed" && err.Error() != "the template logged-out.html failed" {
		t.Errorf("got the error %v", err)
	}
	if w.Code != 200 || !strings.Contains(w.Body.String(), "You are logged out of <bdi>a client that is long</bdi>") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestReplacementErrors(t *testing.T) {
	page := func(main string) map[string]string {
		return map[string]string{"templates/logged-out.html": `{{define "title"}}x{{end}}{{define "main"}}<h1>x</h1>` + main + `{{end}}`}
	}
	login := string(builtin["templates/login.html"])
	without := func(name, text string) map[string]string {
		all := string(builtin[name])
		if !strings.Contains(all, text) {
			t.Fatalf("%s has no %s", name, text)
		}
		return map[string]string{name: strings.Replace(all, text, "", 1)}
	}
	changed := func(name string, pairs ...string) map[string]string {
		all := string(builtin[name])
		for i := 0; i < len(pairs); i += 2 {
			if strings.Count(all, pairs[i]) != 1 {
				t.Fatalf("%s has not one %s", name, pairs[i])
			}
			all = strings.Replace(all, pairs[i], pairs[i+1], 1)
		}
		return map[string]string{name: all}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"another file":                  {map[string]string{"logo.gif": "x"}, "file logo.gif: unrecognized; expected style.css, logo.svg"},
		"another folder":                {map[string]string{"css/style.css": "x"}, "file css: unrecognized; expected"},
		"another page":                  {map[string]string{"templates/register.html": "x"}, "file templates/register.html: unrecognized"},
		"another kind of texts":         {map[string]string{"texts/en.yaml": "x"}, "file texts/en.yaml: unrecognized"},
		"a folder for a file":           {map[string]string{"style.css/x": "x"}, "file style.css: no regular file; expected one"},
		"too large":                     {map[string]string{"style.css": strings.Repeat(" ", maxFile+1)}, "file style.css: larger than 64 KiB; expected at most that"},
		"a style that ends":             {map[string]string{"style.css": "a{}</sTyle><script>"}, "file style.css: it has </style"},
		"a style that is none":          {map[string]string{"style.css": "\xff\xfe"}, "file style.css: no text; expected CSS in UTF-8"},
		"a style with a NUL":            {map[string]string{"style.css": "a\x00"}, "file style.css: no text"},
		"two logos":                     {map[string]string{"logo.svg": svg, "logo.png": "\x89PNG\r\n\x1a\n"}, "a second logo; expected one"},
		"a logo of another kind":        {map[string]string{"logo.png": "GIF89a"}, "file logo.png: it is image/gif; expected image/png"},
		"a logo that is none":           {map[string]string{"logo.svg": "<svg>"}, "file logo.svg: expected an SVG image"},
		"a language that is none":       {map[string]string{"texts/english.json": "{}"}, "file texts/english.json: the name is no language tag"},
		"a language in another form":    {map[string]string{"texts/pt_BR.json": "{}"}, "file texts/pt_BR.json: the name is no language tag"},
		"texts that are no JSON":        {map[string]string{"texts/en.json": "{"}, "file texts/en.json: json: line 1"},
		"texts that are no texts":       {map[string]string{"texts/en.json": `{"brand": 1}`}, "file texts/en.json: brand: json: line 1"},
		"a text twice":                  {map[string]string{"texts/en.json": `{"brand": "a", "brand": "b"}`}, "file texts/en.json: json: line 1"},
		"more than texts":               {map[string]string{"texts/en.json": `{} {}`}, "file texts/en.json: json: line 1"},
		"an empty text":                 {map[string]string{"texts/de.json": `{"brand": " "}`}, "file texts/de.json: brand: an empty text"},
		"an unknown key":                {map[string]string{"texts/fr.json": `{"login.titel": "x"}`}, "file texts/fr.json: login.titel: unknown key"},
		"a name of nothing":             {map[string]string{"texts/fr.json": `{"scope.": "x"}`}, "file texts/fr.json: scope.: unknown key"},
		"a plural of nothing":           {map[string]string{"texts/fr.json": `{"login.title.few": "x"}`}, "file texts/fr.json: login.title.few: unknown key"},
		"a value that is not there":     {map[string]string{"texts/fr.json": `{"login.title": "{client}"}`}, "file texts/fr.json: login.title: there is no value for {client}; expected no braces"},
		"a value in a name":             {map[string]string{"texts/fr.json": `{"service.shop": "{client}"}`}, "file texts/fr.json: service.shop: there is no value for {client}; expected no braces"},
		"a value of another text":       {map[string]string{"texts/en.json": `{"duration.and": "{most} {n}"}`}, "there is no value for {n}; expected none but {least}, {most}"},
		"a brace":                       {map[string]string{"texts/en.json": `{"brand": "{"}`}, "file texts/en.json: brand: a brace that belongs to no {name}"},
		"a direction":                   {map[string]string{"texts/he.json": `{"direction": "right"}`}, `file texts/he.json: direction: "right"; expected ltr or rtl`},
		"a template that is none":       {map[string]string{"templates/login.html": "{{define}}"}, "file templates/login.html: login.html:1: "},
		"a template that is no text":    {map[string]string{"templates/login.html": "\xff"}, "file templates/login.html: no text"},
		"a template without a main":     {map[string]string{"templates/login.html": `{{define "title"}}x{{end}}`}, `file templates/login.html: {{define "main"}} is missing`},
		"an unknown function":           {page(`{{env "HOME"}}`), `function "env" not defined`},
		"an unknown text":               {page(`{{text "nothing"}}`), `there is no text "nothing"; expected a key of texts/en.json`},
		"a text without its value":      {page(`{{text "login.client"}}`), "the text has {client}, for which there is no value"},
		"a value without a name":        {page(`{{text "login.client" .Client}}`), "a name without a value"},
		"an unknown field":              {page(`{{.Nme}}`), "can't evaluate field Nme"},
		"a value where none can stand":  {page(`<a href={{.Client}}{{.Client}}'>x</a>`), "file templates/logged-out.html: shown with sample data: "},
		"a script":                      {page(`<script>alert(1)</script>`), "it has <script>, which the policy of the pages blocks"},
		"a link to a stylesheet":        {page(`<LINK rel=stylesheet href=x>`), "it has <link>, which the policy"},
		"a handler":                     {page(`<p onclick="x()">x</p>`), "it has the attribute onclick, which the policy"},
		"a style of an element":         {page(`<p style="color:red">x</p>`), "it has the attribute style, which the policy"},
		"a second style":                {page(`<style>p{}</style>`), "no other style than the stylesheet is let in"},
		"a layout without the style":    {without("templates/layout.html", "<style>{{.Style}}</style>"), "file templates/login.html: shown with sample data: no other style"},
		"a layout without a page":       {without("templates/layout.html", `{{template "main" .View}}`), "shown with sample data: it lacks "},
		"a form without its fields":     {map[string]string{"templates/login.html": strings.Replace(login, `{{template "form" .Form}}`, `<form method="post" action="{{.Form.Action}}">`, 1)}, `file templates/login.html: shown with sample data: it lacks <input name="t`},
		"a form by GET":                 {map[string]string{"templates/layout.html": strings.Replace(string(builtin["templates/layout.html"]), `method="post"`, `method="get"`, 1)}, `it lacks <form method="post" action="`},
		"no way to deny":                {without("templates/consent.html", `<button name="step" value="deny" formnovalidate>{{text "consent.deny"}}</button>`), `file templates/consent.html: shown with sample data: it lacks <button name="step" value="deny">`},
		"a box that is not there":       {without("templates/consent.html", ` name="grant"`), `it lacks <input name="grant" value="`},
		"a link that is not there":      {changed("templates/login.html", `<a class="button" href="{{.URL}}">`, "<b>", "</a>", "</b>"), `file templates/login.html: shown with sample data: it lacks <a href="/sample?provider=p">`},
		"a button outside of its form":  {changed("templates/consent.html", `<button name="step" value="deny" formnovalidate>{{text "consent.deny"}}</button>`, "", "</form>", `</form><button name="step" value="deny">no</button>`), `it lacks <button name="step" value="deny">`},
		"a button in another form":      {changed("templates/consent.html", `<button name="step" value="deny" formnovalidate>{{text "consent.deny"}}</button>`, "", "</form>", `</form><form method="post" action="{{.Form.Action}}"><button name="step" value="deny">no</button></form>`), `it lacks <button name="step" value="deny">`},
		"a button that sends nothing":   {changed("templates/consent.html", `value="deny" formnovalidate`, `value="deny" type="button"`), `it lacks <button name="step" value="deny">`},
		"a button that nobody sees":     {changed("templates/consent.html", `value="deny" formnovalidate`, `value="deny" hidden`), `it lacks <button name="step" value="deny">`},
		"a box that cannot be unticked": {changed("templates/consent.html", `type="checkbox" name="grant"`, `type="hidden" name="grant"`), `it lacks <input name="grant" value="r1" type="checkbox">`},
		"a button that sends elsewhere": {page(`<button formaction="/other">x</button>`), "it has the attribute formaction"},
		"a page that goes elsewhere":    {page(`<meta http-equiv="refresh" content="0;url=https://evil.example">`), "it has the attribute http-equiv"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, c.files)
			p, err := New(dir)
			if err == nil || p != nil {
				t.Fatalf("got %v and the error %v", p, err)
			}
			if !strings.HasPrefix(err.Error(), "directory "+dir+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestReplacementLinks has links as Kubernetes lays them, and links that lead out
// of the directory, to what nobody wants to see on a page.
func TestReplacementLinks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.css")
	if err := os.WriteFile(secret, []byte("a{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(t *testing.T, dir, to, from string) {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	dir := folder(t, map[string]string{"..2026_11/style.css": "h1{color:red}", "..2026_11/en.json": `{"brand": "Acme"}`, "texts/.keep": ""})
	link(t, dir, "..2026_11", "..data")
	link(t, dir, "..data/style.css", "style.css")
	link(t, dir, "../..data/en.json", "texts/en.json")
	if got := shown(t, must(New(dir)), asking("en"), LoggedOut{}, Options{}).Body.String(); !strings.Contains(got, "h1{color:red}") || !strings.Contains(got, "Acme") {
		t.Errorf("links inside of the directory are not followed: %s", got)
	}
	for name, to := range map[string]string{"absolute": secret, "relative": "../../../../../../../../../.." + secret, "a device": "/dev/zero", "nowhere": "absent"} {
		dir := folder(t, nil)
		link(t, dir, to, "style.css")
		if _, err := New(dir); err == nil || !strings.Contains(err.Error(), "file style.css: ") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
	dir = folder(t, nil)
	link(t, dir, filepath.Dir(secret), "texts")
	if _, err := New(dir); err == nil || !strings.Contains(err.Error(), "reading texts: ") {
		t.Errorf("a folder elsewhere: got the error %v", err)
	}
}

// TestSamplesShowEverything keeps the trial worth something: the samples have an
// entry in every list and a value in every field.
func TestSamplesShowEverything(t *testing.T) {
	names := map[string]bool{}
	for _, page := range samples() {
		names[page.name()] = true
	}
	for _, page := range everyPage {
		if !names[page.name()] {
			t.Errorf("there is no sample of %s", page.name())
		}
		if _, ok := builtin["templates/"+page.name()+".html"]; !ok {
			t.Errorf("there is no template of %s", page.name())
		}
	}
	if got, want := len(builtin.under("templates/")), len(everyPage)+1; got != want {
		t.Errorf("got %d templates %v, want %d", got, slices.Sorted(maps.Keys(builtin)), want)
	}
	for _, l := range must(New("")).languages {
		p := must(New(""))
		if err := p.try(l); err != nil {
			t.Errorf("the built-in pages in %s: %v", l.tag, err)
		}
	}
}
