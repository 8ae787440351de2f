package tokenexchange

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// authorizationRequest is what a client asks for in the browser (RFC 6749
// section 4.1.1, OpenID Connect Core section 3.1.2.1), checked. It says nothing
// of the user. The zero value asks for nothing and can be answered to nobody.
type authorizationRequest struct {
	Client      string   `json:"client"`
	RedirectURI string   `json:"redirect_uri"` // where the answer goes, byte for byte
	State       string   `json:"state,omitempty"`
	Nonce       string   `json:"nonce,omitempty"`
	Challenge   string   `json:"challenge,omitempty"` // "" without PKCE
	Method      string   `json:"method,omitempty"`    // as it was sent
	Scope       []string `json:"scope,omitempty"`     // each word once, all of the client's
	Ask         string   `json:"ask,omitempty"`       // canonical text of a scopes.Ask, "" for all
	Org         string   `json:"org,omitempty"`       // "" leaves the choice to the user
	Prompt      []string `json:"prompt,omitempty"`    // none alone, or login and consent
	MaxAge      *int     `json:"max_age,omitempty"`   // in seconds, nil for any
	LoginHint   string   `json:"login_hint,omitempty"`
	Locales     string   `json:"locales,omitempty"`      // language tags, the best first
	HintSubject string   `json:"hint_subject,omitempty"` // whom the client expects, "" for anybody
}

// The values of prompt.
const (
	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account"
)

// redirectable reports whether the client may be told by redirect what became
// of its request. Before that is known the user is told, and goes nowhere.
func (q authorizationRequest) redirectable() bool { return q.Client != "" && q.RedirectURI != "" }

// prompts reports whether the client demands it.
func (q authorizationRequest) prompts(word string) bool { return slices.Contains(q.Prompt, word) }

// ask returns what is asked of the rights, nil for all.
func (q authorizationRequest) ask() (*scopes.Ask, error) {
	if q.Ask == "" {
		return nil, nil
	}
	ask, err := scopes.ParseAsk([]byte(q.Ask))
	if err != nil {
		return nil, err
	}
	return &ask, nil
}

// authorizationRequest checks what a client sent, by itself or by a pushed
// request. The client and its redirect_uri come first: whatever is wrong after
// that is told by redirect, and until then there is nobody to tell but the user.
// So on an error too the result says where the answer can go.
func (s *Server) authorizationRequest(p parameters) (authorizationRequest, error) {
	var q authorizationRequest
	c, err := s.addressed(p)
	if err != nil {
		return q, err
	}
	q.Client, q.RedirectURI = c.ID, p["redirect_uri"]
	if len(p["state"]) <= maxState {
		q.State = p["state"]
	}
	if err := p.check(); err != nil {
		return q, err
	}
	for _, check := range []func() error{
		func() error { return checkSizes(p) },
		func() error { return checkResponse(p) },
		func() error { return q.readChallenge(c, p) },
		func() error { return q.readRights(c, p) },
		func() error { return q.readPrompt(p) },
		func() error { return s.readHints(&q, p) },
	} {
		if err := check(); err != nil {
			return q, err
		}
	}
	return q, nil
}

// addressed finds the client of a request, which listens at its redirect_uri.
func (s *Server) addressed(p parameters) (*client, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if p[name] == "" {
			return nil, refused("parameter_missing", name)
		}
	}
	c := s.realm.clients[p["client_id"]]
	switch {
	case c == nil:
		return nil, refusedBecause("client_unknown", errors.New("no client has this id"))
	case !slices.Contains(c.grants, authorizationCode):
		return nil, refusedBecause("grant_not_allowed", errors.New("client "+c.ID+" does not list authorization_code in its grant_types"))
	case !c.listensAt(p["redirect_uri"]):
		return nil, refusedBecause("redirect_uri_unregistered", fmt.Errorf("client %s has no redirect_uri %s", c.ID, placeOf(p["redirect_uri"])))
	}
	return c, nil
}

// maxPlace is how many characters of an address the log keeps.
const maxPlace = 200

// placeOf names an address for the log, so that whoever registers it sees what
// differs. What can hold a secret, a user name or a query, is left out.
func placeOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "(no URI)"
	}
	opaque := u.Opaque[strings.LastIndexByte(u.Opaque, '@')+1:] // A user name stands in front.
	place := (&url.URL{Scheme: uri[:len(u.Scheme)], Opaque: opaque, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
	if u.User != nil || opaque != u.Opaque || u.RawQuery != "" || u.ForceQuery || strings.Contains(uri, "#") {
		place += " (and a user name, a query or a fragment)"
	}
	return strconv.Quote(place[:min(len(place), maxPlace)])
}

// longest are the sizes in bytes of what is kept until the user has decided.
var longest = map[string]int{
	"nonce": 1 << 10, "login_hint": 1 << 10, "prompt": 1 << 10, "ui_locales": 1 << 10, "scope": 8 << 10, "orgId": 1 << 10, "org_id": 1 << 10,
	"allowed_resource_scope": 16 << 10, "servicesPermissionsScopesDto": 16 << 10, // No token holds so much.
}

func checkSizes(p parameters) error {
	for name, size := range longest {
		if len(p[name]) > size {
			return refused("parameter_invalid", name)
		}
	}
	return nil
}

// checkResponse refuses every other way to answer than a code in the query, and
// every other way to ask than by parameters.
func checkResponse(p parameters) error {
	switch {
	case p["request"] != "":
		return refused("request_not_supported", "")
	case p["request_uri"] != "":
		return refused("request_uri_not_supported", "")
	case p["registration"] != "":
		return refused("registration_not_supported", "")
	case p["response_type"] == "":
		return refused("parameter_missing", "response_type")
	case p["response_type"] != "code":
		return refused("response_type_unsupported", "")
	case p["response_mode"] != "" && p["response_mode"] != "query":
		return refused("parameter_invalid", "response_mode")
	}
	return nil
}

var codeChallenge = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// readChallenge reads PKCE (RFC 7636 section 4.3). A method is not assumed where
// none was sent: that of the RFC is plain.
func (q *authorizationRequest) readChallenge(c *client, p parameters) error {
	challenge, method := p["code_challenge"], p["code_challenge_method"]
	switch {
	case challenge == "" && method == "" && c.pkceOptional && !c.public:
		return nil
	case challenge == "":
		return refused("parameter_missing", "code_challenge")
	case method == "":
		return refused("parameter_missing", "code_challenge_method")
	case !slices.Contains(c.pkceMethods, method):
		return refused("parameter_invalid", "code_challenge_method")
	case !codeChallenge.MatchString(challenge):
		return refused("parameter_invalid", "code_challenge")
	}
	if method != "plain" {
		// No verifier has another hash than one of 32 bytes.
		if sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(sum) != 32 {
			return refused("parameter_invalid", "code_challenge")
		}
	}
	q.Challenge, q.Method = challenge, method
	return nil
}

// readRights reads what the request wants of what the user and the client have
// together. What it does not say it leaves to them.
func (q *authorizationRequest) readRights(c *client, p parameters) error {
	if err := p.onlyBound(narrowing); err != nil {
		return err
	}
	asked := p.scope()
	if len(asked) == 0 {
		if p["scope"] != "" {
			return refused("parameter_invalid", "scope") // Blanks alone ask for nothing, or for everything.
		}
		asked = c.Scopes
	}
	for _, word := range asked {
		if !slices.Contains(c.Scopes, word) {
			return refused(Reason(mint.ScopeExceeded), "")
		}
		add(&q.Scope, word)
	}
	ask, err := p.ask()
	if err != nil {
		return err
	}
	if ask != nil {
		q.Ask = ask.Canonical()
	}
	org, err := p.one("orgId", "org_id")
	if err != nil {
		return err
	}
	if org != "" && (checkOrgs("org", org) != nil || !c.worksIn(org)) {
		return refused("org_not_allowed", "")
	}
	q.Org = org
	return nil
}

// readPrompt reads what the client demands of this login. What a client meant by
// a word that we do not know we cannot keep.
func (q *authorizationRequest) readPrompt(p parameters) error {
	for word := range strings.FieldsSeq(p["prompt"]) {
		switch word {
		case promptNone, promptLogin, promptConsent:
		case promptSelect:
			word = promptLogin // Who logs in anew chooses the account.
		default:
			return refused("parameter_invalid", "prompt")
		}
		add(&q.Prompt, word)
	}
	if q.prompts(promptNone) && len(q.Prompt) > 1 {
		return refused("parameter_invalid", "prompt")
	}
	if text := p["max_age"]; text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refused("parameter_invalid", "max_age")
		}
		age := int(n)
		q.MaxAge = &age
	}
	return nil
}

// readHints reads what says who is expected, and what goes back to the client.
func (s *Server) readHints(q *authorizationRequest, p parameters) error {
	q.Nonce, q.LoginHint, q.Locales = p["nonce"], p["login_hint"], locales(p["ui_locales"])
	hint := p["id_token_hint"]
	if hint == "" {
		return nil
	}
	login, c, err := s.hinted(hint)
	if err != nil {
		return err
	}
	if c.ID != q.Client {
		return refusedBecause("id_token_hint_invalid", errors.New("it was issued to another client"))
	}
	q.HintSubject = login.Subject
	return nil
}

const maxLocales = 8

var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

// locales keeps of ui_locales what can be language tags. A language that we do
// not have is no error (OpenID Connect Core section 3.1.2.1).
func locales(text string) string {
	var tags []string
	for tag := range strings.FieldsSeq(text) {
		if languageTag.MatchString(tag) && len(tags) < maxLocales {
			tags = append(tags, tag)
		}
	}
	return strings.Join(tags, " ")
}
