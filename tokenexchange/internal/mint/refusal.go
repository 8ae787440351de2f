package mint

import (
	"errors"

	"github.com/scopegate/scopegate/scopes"
)

// Reason says why the mint refused. Where the proxy path has a reason for the
// same thing, the words are equal to those of package scopes.
type Reason string

// The reasons of the mint and of verification.
const (
	TokenMalformed    Reason = "token_malformed"
	TokenExpired      Reason = "token_expired"
	TokenNotYetValid  Reason = "token_not_yet_valid"
	TokenIssuer       Reason = "token_issuer"
	TokenAudience     Reason = "token_audience"
	TokenType         Reason = "token_type"
	TokenSignature    Reason = "token_signature"
	TokenBinding      Reason = "token_binding"
	TokenRevoked      Reason = "token_revoked"
	ChainTooLong      Reason = "chain_too_long"
	ResourceExceeded  Reason = "resource_scope_exceeded"
	ResourceTooLarge  Reason = "resource_scope_too_large"
	ScopeExceeded     Reason = "scope_exceeded"
	TokenTooLarge     Reason = "token_too_large"
	TokenSpent        Reason = "token_spent"
	TargetNotUpstream Reason = "target_not_upstream"
	SubjectKind       Reason = "subject_kind"
	ExchangeRefused   Reason = "exchange_refused"
)

// Refusal is an error with a reason. Detail is for the log: it names what was
// wrong without holding token material.
type Refusal struct {
	Reason Reason
	Detail string
	Excess []scopes.Excess // with ResourceExceeded: what was asked beyond what is held
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}

func refuse(reason Reason, detail string) error { return &Refusal{Reason: reason, Detail: detail} }

// ReasonOf returns the reason of a refusal, "" for any other error.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}
