package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
)

// inputs are what a grant takes besides the client: what it needs, and what it may
// have.
type inputs struct{ needs, takes []string }

// grantInputs are those of each grant.
var grantInputs = map[string]inputs{
	"client_credentials": {nil, []string{"org", "scope", "allowed-resource-scope"}},
	authorizationCode:    {nil, []string{"org", "scope", "allowed-resource-scope"}},
	"password":           {[]string{"username", "password"}, []string{"org", "scope", "allowed-resource-scope"}},
	"refresh_token":      {[]string{"refresh-token"}, []string{"scope", "allowed-resource-scope"}},
	"audience_exchange":  {[]string{"subject-token", "audience"}, []string{"subject-token-type", "scope", "allowed-resource-scope"}},
	"client_delegate":    {[]string{"subject-token"}, []string{"audience", "scope", "allowed-resource-scope"}},
	"api_token":          {[]string{"api-token"}, nil},
}

// check refuses a flag that this grant lacks, or that says nothing to it.
// Flags is how an error writes it.
func (i inputs) check(flag, flags string, given bool, grant string) error {
	switch {
	case given && !slices.Contains(i.needs, flag) && !slices.Contains(i.takes, flag):
		return fmt.Errorf("%s means nothing with --grant %s; expected it left out", flags, grant)
	case !given && slices.Contains(i.needs, flag):
		return fmt.Errorf("--grant %s needs %s", grant, flags)
	}
	return nil
}

// form makes the parameters, and finds what is missing or has no meaning.
func (t *tokenRequest) form(in io.Reader) (url.Values, error) {
	takes, ok := grantInputs[t.grant]
	switch {
	case !ok:
		return nil, errors.New("--grant: expected client_credentials, authorization_code, password, refresh_token, audience_exchange, client_delegate or api_token")
	case t.client == "" && t.grant != "api_token":
		return nil, errors.New("--client is missing; expected the id of a client")
	case t.grant == "api_token" && (t.client != "" || t.secret.given()):
		return nil, errors.New("--client: an API token says itself which client it belongs to; expected neither --client nor a secret")
	}
	if err := t.oneInput(); err != nil {
		return nil, err
	}
	form := url.Values{}
	if t.grant != "api_token" {
		form.Set("grant_type", t.grant)
	}
	for _, p := range []struct{ flag, value, parameter string }{
		{"username", t.username, "username"},
		{"audience", t.audience, t.target()},
		{"org", t.org, "orgId"},
		{"scope", t.scope, "scope"},
		{"allowed-resource-scope", t.resourceScope, "allowed_resource_scope"},
	} {
		if err := takes.check(p.flag, "--"+p.flag, p.value != "", t.grant); err != nil {
			return nil, err
		}
		if p.value != "" {
			form.Set(p.parameter, p.value)
		}
	}
	for _, s := range []struct {
		source
		parameter string
	}{{t.password, "password"}, {t.subject, "subject_token"}, {t.refresh, "refresh_token"}, {t.token, "api_token"}} {
		if err := takes.check(s.name, s.flags(), s.given(), t.grant); err != nil || !s.given() {
			if err != nil {
				return nil, err
			}
			continue
		}
		value, err := s.read(in)
		if err != nil {
			return nil, err
		}
		form.Set(s.parameter, value)
	}
	return form, t.subjectKind(form)
}

// target is the name of the audience in a request.
func (t *tokenRequest) target() string {
	if t.grant == "audience_exchange" {
		return "target_audience"
	}
	return "audience"
}

// subjectKind says what kind of token is exchanged.
func (t *tokenRequest) subjectKind(form url.Values) error {
	switch {
	case t.subjectType != "access_token" && t.subjectType != "id_token":
		return errors.New("--subject-token-type: expected access_token or id_token")
	case form.Has("subject_token"):
		form.Set("subject_token_type", "urn:ietf:params:oauth:token-type:"+t.subjectType)
	}
	return nil
}

// oneInput refuses two secrets on standard input.
func (t *tokenRequest) oneInput() error {
	var from []string
	for _, s := range []source{t.secret, t.password, t.subject, t.refresh, t.token} {
		if s.file == "-" {
			from = append(from, s.name)
		}
	}
	if len(from) > 1 {
		return fmt.Errorf("--%s-file and --%s-file both are -; expected one of them on standard input", from[0], from[1])
	}
	return nil
}
