package tokenexchange

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// answer is the address that takes a code to the client (RFC 6749 section
// 4.1.2, RFC 9207).
func (q authorizationRequest) answer(issuer, code string) string {
	return q.location("code", code, "state", q.State, "iss", issuer)
}

// refusal is the address that tells the client why it gets no code (RFC 6749
// section 4.1.2.1). It is for a request that is redirectable.
func (q authorizationRequest) refusal(issuer string, e *Refused) string {
	a, known := answers[e.Reason]
	if !known {
		e = &Refused{Reason: "server_error"}
		a = answers[e.Reason]
	}
	return q.location(
		"error", authorizationCodeOf(a), "error_description", plainText(a.describe(e)), "error_uri", errorPage+string(e.Reason),
		"state", q.State, "iss", issuer,
	)
}

// location adds parameters to the redirect URI, whose own query stays as it was
// registered. Those without a value are left out.
func (q authorizationRequest) location(kv ...string) string {
	var to strings.Builder
	to.WriteString(q.RedirectURI)
	between := byte('?')
	if strings.Contains(q.RedirectURI, "?") {
		between = '&'
	}
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == "" {
			continue
		}
		to.WriteByte(between)
		to.WriteString(kv[i] + "=" + url.QueryEscape(kv[i+1]))
		between = '&'
	}
	return to.String()
}

// authorizationErrors are the codes that a client expects of an authorization
// endpoint: RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC
// 8707 section 2.
var authorizationErrors = []string{
	invalidRequest, "unauthorized_client", accessDenied, "unsupported_response_type", invalidScope, "server_error", unavailable,
	"interaction_required", "login_required", "consent_required", "account_selection_required",
	"request_not_supported", "request_uri_not_supported", "registration_not_supported", "invalid_request_uri",
}

// authorizationCodeOf is the code of a reason here. What only the token endpoint
// has a code for is a denial.
func authorizationCodeOf(a answer) string {
	if slices.Contains(authorizationErrors, a.code) {
		return a.code
	}
	return accessDenied
}

// plainText is a text of ours in the characters of an error_description, which
// has no double quotes and no backslashes.
func plainText(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c < ' ' || c > '~':
			return ' '
		}
		return c
	}, text)
}

// sendBack sends the browser to an address with a GET, whatever it came with,
// and has it tell nobody where it was.
func sendBack(w http.ResponseWriter, location string) {
	noStore(w.Header())
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}
