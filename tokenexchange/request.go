package tokenexchange

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// maxBody is the size in bytes of the largest token request.
const maxBody = 64 << 10

// grantBound are the parameters that decide what a token may do. With a value,
// but not in the row of the grant, they are refused: an ignored one would give
// a token that is wider than the caller believes.
var grantBound = []string{
	"allowed_resource_scope", "servicesPermissionsScopesDto", "target_audience", "audience", "resource",
	"requested_token_type", "orgId", "org_id", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
}

// nearMisses maps a grant-bound name without case, separators and a final s to
// its right spelling.
var nearMisses = func() map[string]string {
	m := map[string]string{}
	for _, name := range grantBound {
		m[fold(name)] = name
	}
	return m
}()

func fold(name string) string {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	return strings.TrimSuffix(name, "s")
}

// parameters are those of one token request, each at most once, none empty.
type parameters map[string]string

// readParameters is the one parser of a token request (docs/token-endpoint.md).
// Any doubt about what was sent is an error.
func readParameters(r *http.Request) (parameters, error) {
	kind, err := bodyKind(r)
	if err != nil {
		return nil, err
	}
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	var p parameters
	switch kind {
	case formKind:
		p, err = readForm(body)
	case "application/json":
		p, err = readJSON(body)
	default:
		return nil, refused("content_type", "")
	}
	if err != nil {
		return nil, err
	}
	return p, p.check()
}

// formKind is the content type of what a form sends.
const formKind = "application/x-www-form-urlencoded"

// bodyKind is the one content type of a request whose parameters are in its body,
// and nowhere else.
func bodyKind(r *http.Request) (string, error) {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return "", refused("query_parameters", "")
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header.Values("Content-Type")) != 1 {
		return "", refused("content_type", "")
	}
	return kind, nil
}

// bodyOf reads a body, as far as one may go.
func bodyOf(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, refusedBecause("body_malformed", err)
	case len(body) > maxBody:
		return nil, refused("body_too_large", "")
	}
	return body, nil
}

func readForm(body []byte) (parameters, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refusedBecause("body_malformed", errors.New("not form-urlencoded"))
	}
	p := make(parameters, len(values))
	for name, v := range values {
		if len(v) != 1 {
			return nil, refused("parameter_repeated", known(name))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, refusedBecause("body_malformed", errors.New("not UTF-8"))
		}
		p[name] = v[0]
	}
	return p, nil
}

// readJSON reads the same names from one flat object. The numbers may be
// numbers, and servicesPermissionsScopesDto may be an object.
func readJSON(body []byte) (parameters, error) {
	p := parameters{}
	r := strictjson.NewReader(body)
	err := r.Object(func(name string) error {
		raw, err := r.Raw()
		if err != nil {
			return err
		}
		value, err := jsonValue(name, raw)
		if err == nil {
			p[name] = value
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	var refusal *Refused
	if err != nil && !errors.As(err, &refusal) {
		// The text of err may quote a name, and so a secret in a wrong place.
		err = refusedBecause("body_malformed", errors.New("not one flat JSON object without duplicate names"))
	}
	return p, err
}

func jsonValue(name string, raw []byte) (string, error) {
	switch raw[0] {
	case '"':
		return strictjson.NewReader(raw).String()
	case '{':
		if name == "servicesPermissionsScopesDto" {
			return string(raw), nil
		}
	case 'n':
		return "", nil
	default:
		// A number in the place of a text could be meant as 1, as 1.0 or as 1e0.
		if slices.Contains(numbers, name) {
			if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
				return string(raw), nil
			}
		}
	}
	if known(name) != "" {
		return "", refused("parameter_type", known(name))
	}
	return "", nil // A name that we do not know is ignored, whatever it holds.
}

// numbers are the parameters that are numbers.
var numbers = []string{"accessTokenValiditySeconds", "refreshTokenValiditySeconds", "maxGroupsInIdToken", "max_age"}

// readNames are the names besides the grant-bound ones that we read.
var readNames = []string{
	"grant_type", "client_id", "client_secret", "username", "password", "scope", "state", "subject_ip",
	"accessTokenValiditySeconds", "refreshTokenValiditySeconds", "maxGroupsInIdToken",
	"code", "code_verifier", "redirect_uri", "refresh_token", "api_token", "client_assertion", "client_assertion_type",
}

// otherNames are those that other endpoints than the token endpoint read.
var otherNames = []string{
	"token", "token_type_hint", "id_token_hint", "idToken", "post_logout_redirect_uri",
	"response_type", "response_mode", "nonce", "prompt", "max_age", "login_hint", "ui_locales",
	"code_challenge", "code_challenge_method", "request", "request_uri", "registration",
}

// known returns a name that may be shown: one of ours, else nothing.
func known(name string) string {
	if slices.Contains(readNames, name) || slices.Contains(otherNames, name) || slices.Contains(grantBound, name) {
		return name
	}
	return nearMisses[fold(name)]
}

// maxState is the size in bytes of the largest state that is echoed.
const maxState = 1 << 10

// check refuses near misses and empty narrowing, and drops what is empty.
func (p parameters) check() error {
	for name, value := range p {
		if right, near := nearMisses[fold(name)]; near && !slices.Contains(grantBound, name) {
			return refused("parameter_misspelt", right)
		}
		if value != "" {
			if name == "state" && len(value) > maxState {
				return refused("parameter_invalid", name)
			}
			continue
		}
		if name == "allowed_resource_scope" || name == "servicesPermissionsScopesDto" {
			return refused("parameter_empty", name)
		}
		delete(p, name)
	}
	return nil
}

// onlyBound refuses grant-bound parameters outside the row of the grant.
func (p parameters) onlyBound(row []string) error {
	for _, name := range grantBound {
		if _, present := p[name]; present && !slices.Contains(row, name) {
			return refused("parameter_misplaced", name)
		}
	}
	return nil
}

// one returns the value of a parameter that has several names. All that are
// present must be equal.
func (p parameters) one(names ...string) (string, error) {
	value := ""
	for _, name := range names {
		v, present := p[name]
		if !present {
			continue
		}
		if value != "" && v != value {
			return "", refused("parameter_conflict", name)
		}
		value = v
	}
	return value, nil
}

// number returns a parameter that is a positive int32, 0 where it is absent or
// anything else: the seeds' API falls back to the client's value then.
func (p parameters) number(name string) int {
	n, err := strconv.ParseInt(p[name], 10, 32)
	if err != nil || n < 1 {
		return 0
	}
	return int(n)
}

// seconds returns a validity parameter, 0 as number does.
func (p parameters) seconds(name string) time.Duration {
	return time.Duration(p.number(name)) * time.Second
}

// scope returns the words of the parameter scope.
func (p parameters) scope() []string { return scopeWords(p["scope"]) }

// ask reads what the request wants of the rights. Both spellings must mean the
// same; nil means that nothing was asked.
func (p parameters) ask() (*scopes.Ask, error) {
	var found *scopes.Ask
	for _, name := range []string{"allowed_resource_scope", "servicesPermissionsScopesDto"} {
		text, present := p[name]
		if !present {
			continue
		}
		ask, err := scopes.ParseAsk([]byte(text))
		var limit *scopes.LimitError
		if errors.As(err, &limit) { // Numbers and words of ours, nothing of what was sent.
			size := fmt.Sprintf("%s: %d %s, %d%% of the limit of %d", name, limit.Used, limit.Limit, limit.Percent(), limit.Max)
			return nil, &Refused{Reason: Reason(mint.ResourceTooLarge), Param: size, cause: limit}
		}
		if err != nil {
			// The parser quotes what it was sent, which the log must not hold.
			return nil, refused("resource_scope_malformed", name)
		}
		if found != nil && !found.Equal(ask) {
			return nil, refused("parameter_conflict", name)
		}
		found = &ask
	}
	return found, nil
}
