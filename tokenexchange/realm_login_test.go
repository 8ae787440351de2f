package tokenexchange

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWarningsAboutLogins(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "texts"), 0o755); err != nil {
		t.Fatal(err)
	}
	texts := `{"service.shop":"The shop","service.shpo":"x","permission.shop/orders.read":"See orders","permission.shop/orders.raed":"x","permission.crm":"x"}`
	if err := os.WriteFile(filepath.Join(dir, "texts", "en.json"), []byte(texts), 0o600); err != nil {
		t.Fatal(err)
	}
	worded := func(c *Config) { logins(c); c.Pages = must(ReadPages(dir)) }
	nobody := `{"orgs":[{"id":"acme"},{"id":"beta"}],"users":[{"id":"eve","username":"eve","domain":"example.com","memberships":[{"org":"acme"}]}]}`
	for name, c := range map[string]struct {
		change func(*Config)
		users  string
		want   []string
	}{
		"none":                    {logins, baseUsers, nil},
		"no login in the browser": {func(*Config) {}, nobody, nil},
		"nobody who can log in":   {logins, nobody, []string{"clients legacy, phone, web: nobody can log in"}},
		"at another provider":     {func(c *Config) { logins(c); federated(c) }, nobody, nil},
		"words for nothing": {worded, baseUsers, []string{
			"words for service.shpo,", "words for permission.crm,", "words for permission.shop/orders.raed,",
		}},
	} {
		cfg := baseConfig()
		c.change(&cfg)
		var got []string
		for _, w := range must(Compile(cfg, []string{usersPath(t, c.users)})).Warnings() {
			if strings.HasPrefix(w, "clients ") || strings.HasPrefix(w, "pages: ") {
				got = append(got, w)
			}
		}
		if !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s: got the warnings %q, want %q", name, got, c.want)
		}
	}
}
