package tokenexchange

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// refusal is what a caller of a guarded API learns of a reason.
type refusal struct {
	status int
	code   string // RFC 6750 section 3.1 where it has one
	help   string
}

var (
	invalidToken = func(help string) refusal { return refusal{http.StatusUnauthorized, "invalid_token", help} }
	insufficient = func(help string) refusal { return refusal{http.StatusForbidden, "insufficient_scope", help} }
	denied       = func(help string) refusal { return refusal{http.StatusForbidden, "access_denied", help} }
	badRequest   = func(help string) refusal { return refusal{http.StatusBadRequest, "invalid_request", help} }
	away         = func(help string) refusal {
		return refusal{http.StatusServiceUnavailable, "temporarily_unavailable", help}
	}
)

// refusals has a row for each reason of package scopes but "allowed"; a test
// holds the two together, and docs/errors.md with them.
var refusals = map[scopes.Reason]refusal{
	scopes.ReasonNoToken:             {http.StatusUnauthorized, "no_token", "send an access token: Authorization: Bearer <token>"},
	scopes.ReasonTokenMalformed:      invalidToken("the token is not one of this issuer's"),
	scopes.ReasonTokenExpired:        invalidToken("the token has expired: get a new one"),
	scopes.ReasonTokenNotYetValid:    invalidToken("the token is not valid yet: check the clocks"),
	scopes.ReasonTokenIssuer:         invalidToken("the token is from an issuer that is not trusted here"),
	scopes.ReasonTokenAudience:       invalidToken("the token was not made for this API"),
	scopes.ReasonTokenType:           invalidToken("this is no access token"),
	scopes.ReasonTokenSignature:      invalidToken("the signature of the token does not hold"),
	scopes.ReasonTokenBinding:        invalidToken("tokens that are bound to a key are not accepted"),
	scopes.ReasonTokenRevoked:        invalidToken("the token was revoked: get a new one"),
	scopes.ReasonChainTooLong:        invalidToken("the token went through more than 4 clients"),
	scopes.ReasonTokenAmbiguous:      badRequest("send exactly one token, and not in the query"),
	scopes.ReasonTokenLeak:           badRequest("the token is in the request a second time: send it in one place"),
	scopes.ReasonPathAmbiguous:       badRequest("the path can be read in more than one way: no encoded slashes, dot segments, double slashes, backslashes or ;"),
	scopes.ReasonNoRule:              denied("no rule of this API names this path"),
	scopes.ReasonMethodNotAllowed:    denied("no rule of this API names this method for this path"),
	scopes.ReasonNoResourceScope:     insufficient("the token holds no allowed_resource_scope: ask for what is in required, with the parameter allowed_resource_scope"),
	scopes.ReasonNoMapping:           insufficient("nothing in the token is mapped to a permission of this API"),
	scopes.ReasonServiceMissing:      insufficient("the token holds nothing for this service: ask for what is in required, with the parameter allowed_resource_scope"),
	scopes.ReasonPermissionMissing:   insufficient("the token does not hold this permission: ask for what is in required, with the parameter allowed_resource_scope"),
	scopes.ReasonResourceMissing:     insufficient("the token holds the permission, but not for this resource: ask for what is in required, with the parameter allowed_resource_scope"),
	scopes.ReasonVariableRejected:    denied("a value of the request that the rule reads is missing, repeated or no resource name"),
	scopes.ReasonExchangeRefused:     denied("no token for the upstream is made from this one: the client that it was issued to does not allow this API, the client that the guard acts as lacks the grant, or what this request needs is too large for a token; the server's log has the cause, or the line to add"),
	scopes.ReasonExchangeUnavailable: away("the token for the API could not be made: try again"),
	scopes.ReasonKeysUnavailable:     away("the issuer's keys cannot be read: try again"),
	scopes.ReasonRevocationsStale:    away("the list of revoked tokens is too old: try again"),
	scopes.ReasonNotReady:            away("the guard is starting: try again"),
	scopes.ReasonGuardCredentials:    {http.StatusBadGateway, "server_error", "the guard's own credentials were refused; the server's log has more"},
}

// refusalBody is what a refused request is told. What is missing is told to the
// holder of a valid token only.
type refusalBody struct {
	Error      string        `json:"error"`
	Reason     string        `json:"reason"`
	DecisionID string        `json:"decision_id"`
	Required   []scopes.Need `json:"required,omitempty"`
	Help       string        `json:"help"`
}

// row returns what is said of a refusal, and under which reason. Where
// existence is hidden, a method that no rule names is a path that no rule names.
func (v *Verdict) row() (scopes.Reason, refusal) {
	row, known := refusals[v.Reason]
	switch {
	case !known:
		return scopes.ReasonNotReady, refusals[scopes.ReasonNotReady]
	case v.hidden:
		return scopes.ReasonNoRule, refusal{http.StatusNotFound, "not_found", refusals[scopes.ReasonNoRule].help}
	case v.anyOf && len(v.missing) > 0:
		row.help += "; one of the rights in required is enough"
		return v.Reason, row
	case v.malformed:
		return v.Reason, badRequest("the names in Access-Control-Request-Headers must be header names")
	}
	return v.Reason, row
}

// WriteRefusal answers a request that is not forwarded: with the reason, or, a
// preflight that the guard answers itself, with what may be asked for. It is
// the one place that does.
func (v *Verdict) WriteRefusal(w http.ResponseWriter) {
	if v.Reason == scopes.ReasonAllowed && v.answer != nil {
		v.answer.write(w)
		return
	}
	reason, row := v.row()
	h := w.Header()
	switch row.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		h.Set("WWW-Authenticate", challenge(row, v.wanted(), v.metadata()))
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if v.DecisionID != "" {
		h.Set(decisionHeader, v.DecisionID)
	}
	writeJSON(w, row.status, refusalBody{
		Error: row.code, Reason: reason.String(), DecisionID: v.DecisionID,
		Required: v.missing, Help: row.help + "; see " + errorPage + reason.String(),
	})
}

// wanted lists what is missing as the challenge says it.
func (v *Verdict) wanted() (scope []string) {
	for _, n := range v.missing {
		scope = append(scope, n.Service+"/"+n.Permission)
	}
	return scope
}

// metadata is where the guard that decided says who issues its tokens.
func (v *Verdict) metadata() string {
	if v.guard == nil {
		return ""
	}
	return v.guard.metadata
}

// challenge is RFC 6750 section 3: bare where no token was sent. Where another
// token would help, it says where to learn of whom to get it (RFC 9728 section
// 5.1), if that is known.
func challenge(row refusal, scope []string, metadata string) string {
	var params []string
	if row.code != "no_token" && row.code != "access_denied" {
		params = append(params, `error="`+row.code+`"`)
	}
	if row.code == "insufficient_scope" && len(scope) > 0 {
		params = append(params, `scope="`+strings.Join(scope, " ")+`"`)
	}
	if metadata != "" && (row.status == http.StatusUnauthorized || row.code == "insufficient_scope") {
		params = append(params, `resource_metadata="`+metadata+`"`)
	}
	return strings.TrimSpace("Bearer " + strings.Join(params, ", "))
}
