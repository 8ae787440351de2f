package tokenexchange

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestClientAuthentication(t *testing.T) {
	h := newHouse(t)
	s := secretOf("nightly")
	wrong := secret("a wrong secret", "wrong-wrong-wrong-wrong-wrong")
	encoded := url.QueryEscape(s)
	body := func(id, secret string) []string { return []string{"client_id", id, "client_secret", secret} }
	cases := []struct {
		name   string
		header []string
		body   []string
		want   string
	}{
		{"raw", []string{basic("nightly", s)}, nil, ""},
		{"form-encoded", []string{basic("nightly", encoded)}, nil, ""},
		{"everything percent-encoded", []string{basic("%6eightl%79", strings.NewReplacer("~", "%7E", "-", "%2D").Replace(encoded))}, nil, ""},
		{"scheme in other case", []string{"bAsIc" + basic("nightly", s)[5:]}, nil, ""},
		{"in the body", nil, body("nightly", s), ""},
		{"both, equal", []string{basic("nightly", s)}, body("nightly", s), ""},
		{"both, header encoded", []string{basic("nightly", encoded)}, body("nightly", s), ""},
		{"client_id beside the header", []string{basic("nightly", s)}, []string{"client_id", "nightly"}, ""},
		{"both, another secret in the body", []string{basic("nightly", s)}, body("nightly", wrong), "client_ambiguous"},
		{"both, another id in the body", []string{basic("nightly", s)}, body("web", s), "client_ambiguous"},
		{"another id beside the header", []string{basic("nightly", s)}, []string{"client_id", "web"}, "client_ambiguous"},
		{"two headers", []string{basic("nightly", s), basic("nightly", s)}, nil, "client_authentication"},
		{"wrong secret", []string{basic("nightly", wrong)}, nil, "client_authentication"},
		{"wrong secret in the body", nil, body("nightly", wrong), "client_authentication"},
		{"no secret", nil, []string{"client_id", "nightly"}, "client_authentication"},
		{"empty secret", []string{basic("nightly", "")}, nil, "client_authentication"},
		{"empty secret in the body", nil, body("nightly", ""), "client_authentication"},
		{"unknown client", []string{basic("nobody", s)}, nil, "client_authentication"},
		{"unknown client without a secret", nil, []string{"client_id", "nobody"}, "client_authentication"},
		{"no client at all", nil, nil, "client_authentication"},
		{"empty id", []string{basic("", s)}, nil, "client_authentication"},
		{"id in other case", []string{basic("Nightly", s)}, nil, "client_authentication"},
		{"id with a bad escape", []string{basic("nightly%zz", s)}, nil, "client_authentication"},
		{"the guard's client", []string{basic("guard:shop", "")}, nil, "client_authentication"},
		{"the guard's client, encoded", []string{basic("guard%3Ashop", "")}, nil, "client_authentication"},
		{"secret and its other form are not joined", []string{basic("nightly", s+encoded)}, nil, "client_authentication"},
		{"secret with a blank", []string{basic("nightly", s+" ")}, nil, "client_authentication"},
		{"another scheme", []string{"Bearer " + s}, body("nightly", s), "client_authentication"},
		{"broken header", []string{"Basic ***"}, body("nightly", s), "client_authentication"},
		{"header without a colon", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("nightly"))}, nil, "client_authentication"},
		{"an empty header", []string{""}, body("nightly", s), "client_authentication"},
		{"another client's secret", []string{basic("nightly", secretOf("web"))}, nil, "client_authentication"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := form(pairs(append([]string{"grant_type", "client_credentials"}, c.body...)...))
			r.Header["Authorization"] = c.header
			if c.header == nil {
				delete(r.Header, "Authorization")
			}
			g := h.do(r)
			switch c.want {
			case "":
				g.granted(t)
			case "client_ambiguous":
				g.refused(t, 400, "invalid_request", c.want)
			default:
				g.refused(t, 401, "invalid_client", c.want)
				if !strings.HasPrefix(g.header.Get("WWW-Authenticate"), "Basic ") || g.record["client_id"] != nil {
					t.Errorf("got the challenge %q and the record %v", g.header.Get("WWW-Authenticate"), g.record)
				}
			}
		})
	}
}

// Outside it is one answer; who reads the log wants to know which it was.
func TestCauseOfNoClient(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		header string
		body   []string
		want   string
	}{
		"nothing":         {"", nil, "no client is named"},
		"an empty id":     {basic("", secretOf("nightly")), nil, "no client is named"},
		"a secret alone":  {"", []string{"client_secret", secretOf("nightly")}, "no client is named"},
		"an unknown id":   {basic("nobody", secretOf("nightly")), nil, "no client has this id"},
		"the same, plain": {"", []string{"client_id", "nobody"}, "no client has this id"},
	} {
		r := form(pairs(append([]string{"grant_type", "client_credentials"}, c.body...)...))
		delete(r.Header, "Authorization")
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		g := h.do(r)
		g.refused(t, 401, "invalid_client", "client_authentication")
		if got := fmt.Sprint(g.record["cause"]); got != c.want {
			t.Errorf("%s: got the cause %q, want %q", name, got, c.want)
		}
	}
}

func TestPublicClient(t *testing.T) {
	h := newHouse(t)
	login := []string{"grant_type", "password", "username", "ada", "password", password}
	for name, c := range map[string]struct {
		header string
		body   []string
		want   string
	}{
		"client_id":                       {"", []string{"client_id", "mobile"}, ""},
		"client_id and empty secret":      {"", []string{"client_id", "mobile", "client_secret", ""}, ""},
		"Basic with an empty secret":      {basic("mobile", ""), nil, ""},
		"a secret where there is none":    {basic("mobile", password), nil, "client_authentication"},
		"a secret in the body":            {"", []string{"client_id", "mobile", "client_secret", password}, "client_authentication"},
		"empty Basic, secret in the body": {basic("mobile", ""), []string{"client_secret", password}, "client_ambiguous"},
	} {
		r := form(pairs(append(append([]string{}, login...), c.body...)...))
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		switch g := h.do(r); c.want {
		case "":
			g.granted(t)
		case "client_ambiguous":
			g.refused(t, 400, "invalid_request", c.want)
		default:
			t.Run(name, func(t *testing.T) { g.refused(t, 401, "invalid_client", c.want) })
		}
	}
}

// Unknown client, wrong secret and a public client with a secret cannot be told apart.
func TestUnknownClientIsAWrongSecret(t *testing.T) {
	h := newHouse(t)
	strip := func(g got) string {
		id := g.header.Get("Scopegate-Decision")
		head := fmt.Sprint(g.header)
		return fmt.Sprint(g.status, strings.ReplaceAll(head+g.raw, id, "ID"))
	}
	ask := func(id, secret string) string {
		r := form("grant_type=client_credentials")
		r.SetBasicAuth(id, secret)
		return strip(h.do(r))
	}
	want := ask("nightly", "wrong-wrong-wrong-wrong-wrong")
	for _, id := range []string{"nobody", "mobile", "guard:shop", "a", strings.Repeat("x", 1000)} {
		if got := ask(id, "wrong-wrong-wrong-wrong-wrong"); got != want {
			t.Errorf("%.20s: got %s, want %s", id, got, want)
		}
	}
}

func TestSecretRotation(t *testing.T) {
	second := secret("the second secret", "the-second-secret-of-nightly")
	h := newHouse(t, func(c *Config) {
		n := c.client("nightly")
		n.Secrets = append(n.Secrets, must(NewSecret(second)))
	})
	for _, s := range []string{secretOf("nightly"), second} {
		r := form("grant_type=client_credentials")
		r.SetBasicAuth("nightly", s)
		h.do(r).granted(t)
	}
}

func TestSecrets(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", MinSecret-1)} {
		if _, err := NewSecret(text); err == nil || len(text) > 0 && strings.Contains(err.Error(), text) {
			t.Errorf("NewSecret(%q): got %v, want an error that does not quote it", text, err)
		}
	}
	emptyHash := "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, text := range []string{"", "sha256:", "sha256:00", strings.Repeat("0", 64), "sha256:" + strings.Repeat("g", 64), "SHA256:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("0", 66), emptyHash} {
		if _, err := ParseSecretHash(text); err == nil {
			t.Errorf("ParseSecretHash(%q): accepted", text)
		}
	}
	if (Secret{}).matches("") || (Secret{}).matches("x") {
		t.Error("the zero secret matches")
	}
	s := must(NewSecret(secretOf("web")))
	if !s.matches(secretOf("web")) || s.matches(secretOf("web")+" ") || s.matches("") {
		t.Error("matches does not compare")
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %x %s", s, s, s, s), string(must(s.MarshalText()))} {
		if strings.Trim(strings.ReplaceAll(text, "[redacted]", ""), " ") != "" {
			t.Errorf("a secret prints as %q", text)
		}
	}
}
