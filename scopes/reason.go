package scopes

import "fmt"

// Reason says how a request was answered. The set is closed: it is what
// answers, logs, metrics and tests use. The zero value is ReasonNotReady, which
// denies. See docs/scopes.md, section 3.5.
type Reason uint8

// The reasons. Only ReasonAllowed allows.
const (
	ReasonNotReady            Reason = iota // nothing was decided yet
	ReasonAllowed                           // the rule is met
	ReasonNoToken                           // no credentials
	ReasonTokenMalformed                    // not a token, or a claim of the wrong form
	ReasonTokenExpired                      // after exp
	ReasonTokenNotYetValid                  // before nbf
	ReasonTokenIssuer                       // an issuer that is not trusted
	ReasonTokenAudience                     // meant for another audience
	ReasonTokenType                         // not an access token
	ReasonTokenSignature                    // the signature or its algorithm
	ReasonTokenBinding                      // bound to something that the caller did not show
	ReasonTokenRevoked                      // revoked
	ReasonTokenAmbiguous                    // two credentials, or one in the query
	ReasonTokenLeak                         // the token is somewhere else in the request too
	ReasonChainTooLong                      // too many exchanges
	ReasonKeysUnavailable                   // the issuer's keys could not be had
	ReasonRevocationsStale                  // the revocation feed is too old
	ReasonPathAmbiguous                     // see CanonicalPath
	ReasonNoRule                            // no rule for the path
	ReasonMethodNotAllowed                  // rules for the path, none for the method
	ReasonNoResourceScope                   // the token holds no resource scope
	ReasonNoMapping                         // no mapping for a foreign token
	ReasonServiceMissing                    // nothing held of the service
	ReasonPermissionMissing                 // nothing held of the permission
	ReasonResourceMissing                   // the permission, but not on this resource
	ReasonVariableRejected                  // a value of the request is no literal
	ReasonExchangeRefused                   // the exchange is not allowed
	ReasonExchangeUnavailable               // the authority does not answer
	ReasonGuardCredentials                  // the guard's own credentials were refused
	reasonEnd                               // not a reason
)

// reasonNames is in the order of the constants.
var reasonNames = [reasonEnd]string{
	"not_ready", "allowed", "no_token", "token_malformed", "token_expired", "token_not_yet_valid",
	"token_issuer", "token_audience", "token_type", "token_signature", "token_binding", "token_revoked",
	"token_ambiguous", "token_leak", "chain_too_long", "keys_unavailable", "revocations_stale",
	"path_ambiguous", "no_rule", "method_not_allowed", "no_resource_scope", "no_mapping",
	"service_missing", "permission_missing", "resource_missing", "variable_rejected",
	"exchange_refused", "exchange_unavailable", "guard_credentials",
}

// String returns the word of the reason, such as "resource_missing".
func (r Reason) String() string {
	if r >= reasonEnd {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return reasonNames[r]
}

// MarshalText returns the word of the reason. A number that is none is an error.
func (r Reason) MarshalText() ([]byte, error) {
	if r >= reasonEnd {
		return nil, fmt.Errorf("%v is not a reason", r)
	}
	return []byte(r.String()), nil
}

// Reasons returns all reasons in the order of docs/scopes.md, section 3.5,
// which begins with allowed and ends with not_ready.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonEnd)
	for r := ReasonAllowed; r < reasonEnd; r++ {
		all = append(all, r)
	}
	return append(all, ReasonNotReady)
}
