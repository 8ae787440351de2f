package pages

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
)

// spoken are the built-in languages, by their tags.
func spoken(t testing.TB) map[string]*language {
	t.Helper()
	all := map[string]*language{}
	for _, l := range must(New("")).languages {
		all[l.tag.String()] = l
	}
	return all
}

var tags = regexp.MustCompile(`</?bdi>`)

// read is HTML as it is read: what is isolated stands in [].
func read(h any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text := tags.ReplaceAllStringFunc(fmt.Sprint(h), func(tag string) string {
		return map[string]string{"<bdi>": "[", "</bdi>": "]"}[tag]
	})
	return html.UnescapeString(text)
}

func TestDurations(t *testing.T) {
	l := spoken(t)
	for d, want := range map[time.Duration][2]string{
		0:                                  {"0 seconds", "0 Sekunden"},
		time.Second:                        {"1 second", "1 Sekunde"},
		90 * time.Second:                   {"1 minute and 30 seconds", "1 Minute und 30 Sekunden"},
		time.Minute:                        {"1 minute", "1 Minute"},
		30 * time.Minute:                   {"30 minutes", "30 Minuten"},
		time.Hour:                          {"1 hour", "1 Stunde"},
		61 * time.Minute:                   {"1 hour and 1 minute", "1 Stunde und 1 Minute"},
		time.Hour + time.Second:            {"1 hour", "1 Stunde"},
		24 * time.Hour:                     {"24 hours", "24 Stunden"},
		36*time.Hour + time.Minute:         {"36 hours and 1 minute", "36 Stunden und 1 Minute"},
		48 * time.Hour:                     {"2 days", "2 Tage"},
		73 * time.Hour:                     {"3 days and 1 hour", "3 Tage und 1 Stunde"},
		365 * 24 * time.Hour:               {"365 days", "365 Tage"},
		100_000 * 24 * time.Hour:           {"100000 days", "100000 Tage"},
		time.Second + 900*time.Millisecond: {"1 second", "1 Sekunde"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got := read(l[lang].duration(d)); got != want[i] {
				t.Errorf("%v in %s: got %q, want %q", d, lang, got, want[i])
			}
		}
	}
}

func TestDates(t *testing.T) {
	l := spoken(t)
	for at, want := range map[time.Time][2]string{
		time.Date(2026, 11, 22, 18, 4, 59, 0, time.UTC):                 {"22 November 2026, 18:04 UTC", "22. November 2026, 18:04 Uhr UTC"},
		time.Date(2027, 1, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600)): {"31 December 2026, 23:30 UTC", "31. Dezember 2026, 23:30 Uhr UTC"},
		time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC):                     {"1 March 2026, 09:05 UTC", "1. März 2026, 09:05 Uhr UTC"},
		{}: {"unknown", "unbekannt"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got := read(l[lang].date(at)); got != want[i] {
				t.Errorf("%v in %s: got %q, want %q", at, lang, got, want[i])
			}
		}
	}
	if got, want := iso(time.Date(2026, 11, 22, 18, 4, 0, 0, time.UTC)), "2026-11-22T18:04:00Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPatternsInWords(t *testing.T) {
	l := spoken(t)
	for pattern, want := range map[string][2]string{
		"**":                {"everything", "alles"},
		"orders/**":         {"everything under [orders]", "alles unter [orders]"},
		"orders/eu/**":      {"everything under [orders/eu]", "alles unter [orders/eu]"},
		"orders/7":          {"[orders/7] only", "nur [orders/7]"},
		"ping":              {"[ping] only", "nur [ping]"},
		"*":                 {"everything at the top level", "alles auf der obersten Ebene"},
		"orders/*":          {"everything directly under [orders]", "alles direkt unter [orders]"},
		"eu*":               {"everything at the top level that begins with [eu]", "alles auf der obersten Ebene, was mit [eu] beginnt"},
		"orders/eu*":        {"everything directly under [orders] that begins with [eu]", "alles direkt unter [orders], was mit [eu] beginnt"},
		"orders/*/lines":    {"[orders/*/lines] only, where * is any name", "nur [orders/*/lines], wobei * für einen beliebigen Namen steht"},
		"orders/*/lines/**": {"everything under [orders/*/lines], where * is any name", "alles unter [orders/*/lines], wobei * für einen beliebigen Namen steht"},
		"a/*/*":             {"everything directly under [a/*], where * is any name", "alles direkt unter [a/*], wobei * für einen beliebigen Namen steht"},
		"*/x":               {"[*/x] only, where * is any name", "nur [*/x], wobei * für einen beliebigen Namen steht"},
		"<i>":               {"[<i>] only", "nur [<i>]"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got := read(l[lang].pattern(pattern)); got != want[i] {
				t.Errorf("%s in %s: got %q, want %q", pattern, lang, got, want[i])
			}
		}
	}
}

func TestPermissionsInWords(t *testing.T) {
	l := spoken(t)
	for id, want := range map[string][2]string{
		"orders.read":         {"Read [orders]", "[orders] lesen"},
		"orders.write":        {"Write [orders]", "[orders] schreiben"},
		"read":                {"Read", "Lesen"},
		"READ":                {"Read", "Lesen"},
		"read:orders":         {"Read [orders]", "[orders] lesen"},
		"invoice_items.list":  {"List [invoice items]", "[invoice items] auflisten"},
		"shop-orders:delete":  {"Delete [shop orders]", "[shop orders] löschen"},
		"users.admin":         {"Administer [users]", "[users] administrieren"},
		"admin":               {"Administer", "Administrieren"},
		"reports.viewer":      {"Read [reports]", "[reports] lesen"},
		"orders.frobnicate":   {"Another permission", "Eine weitere Berechtigung"},
		"orders.read.special": {"Another permission", "Eine weitere Berechtigung"},
		"...":                 {"Another permission", "Eine weitere Berechtigung"},
		"<b>.read":            {"Read [<b>]", "[<b>] lesen"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got := read(l[lang].permission("shop", id)); got != want[i] {
				t.Errorf("%s in %s: got %q, want %q", id, lang, got, want[i])
			}
		}
	}
}

func TestScopesInWords(t *testing.T) {
	l := spoken(t)
	for word, want := range map[string][2]string{
		"openid":         {"Recognize you by your account", "Sie an Ihrem Konto erkennen"},
		"email":          {"Read your e-mail address", "Ihre E-Mail-Adresse lesen"},
		"grpn://admins":  {"Read whether you belong to the group [admins]", "Lesen, ob Sie der Gruppe [admins] angehören"},
		"grpid://4711":   {"Read whether you belong to the group [4711]", "Lesen, ob Sie der Gruppe [4711] angehören"},
		"something.else": {"Another permission", "Eine weitere Berechtigung"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got := read(l[lang].scope(word)); got != want[i] {
				t.Errorf("%s in %s: got %q, want %q", word, lang, got, want[i])
			}
		}
	}
}

func TestDevices(t *testing.T) {
	l := spoken(t)
	for agent, want := range map[string]string{
		"": "An unknown browser", "curl/8": "An unknown browser", "<script>": "An unknown browser",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0":               "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                          "Chrome on ChromeOS",
		"Something for Linux": "Linux", "Firefox/140.0": "Firefox",
	} {
		if got := read(l["en"].device(agent)); got != want {
			t.Errorf("%s: got %q, want %q", agent, got, want)
		}
	}
	if got, want := read(l["de"].device("Firefox/1 Linux")), "Firefox auf Linux"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLanguages(t *testing.T) {
	p := must(New(""))
	for _, c := range []struct{ locales, accept, want string }{
		{"", "", "en"},
		{"", "de", "de"},
		{"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"", "en-GB,en;q=0.9,de;q=0.8", "en"},
		{"", "fr, de;q=0.5, en;q=0.1", "de"},
		{"", "fr, en;q=0.5, de;q=0.4", "en"},
		{"", "fr", "en"},
		{"", "de;q=0", "en"},
		{"", "*", "en"},
		{"", "en;q=0.1, de;q=0.2", "de"},
		{"de", "en", "de"},
		{"fr de en", "en", "de"},
		{"fr", "de", "de"},
		{"de-CH-1996 en", "", "de"},
		{"not_a-tag!! de", "en", "de"},
		{"DE", "", "de"},
		{"</script> \x00 de", "", "de"},
		{strings.Repeat("de ", 400), "", "en"},
		{"", strings.Repeat("de,", 400), "en"},
		{"", "de;q=x", "en"},
		{"", strings.Repeat("-", 1000), "en"},
	} {
		if got := p.choose(c.locales, asking(c.accept)).tag.String(); got != c.want {
			t.Errorf("ui_locales %.30q, Accept-Language %.30q: got %s, want %s", c.locales, c.accept, got, c.want)
		}
	}
	r := asking("fr")
	r.Header.Add("Accept-Language", "de")
	if got := p.choose("", r).tag.String(); got != "de" {
		t.Errorf("two headers: got %s, want de", got)
	}
}
