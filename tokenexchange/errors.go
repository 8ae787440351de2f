package tokenexchange

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Reason is the code of one refusal of the token endpoint. docs/errors.md has
// the cause and the fix of each.
type Reason string

// Refused is the error of every refused token request. What is in it may be
// shown to the caller: parameter names are ours, never what was sent.
type Refused struct {
	Reason Reason
	Param  string          // a parameter's right name, or a grant
	Excess []scopes.Excess // what was asked for beyond what is held
	wait   time.Duration   // until it may be tried again, with 429 and 503; 0 is a moment
	cause  error           // for the log only
}

func (e *Refused) Error() string {
	text := string(e.Reason)
	if e.Param != "" {
		text += " (" + e.Param + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *Refused) Unwrap() error { return e.cause }

// why is the cause for the audit record, which has the reason beside it.
func (e *Refused) why() string { return strings.TrimSpace(e.Param + " " + causeText(e.cause)) }

// causeText says what went wrong without the reason that the mint puts in
// front, "" for no error.
func causeText(err error) string {
	var m *mint.Refusal
	switch {
	case errors.As(err, &m):
		return m.Detail
	case err != nil:
		return err.Error()
	}
	return ""
}

func refused(r Reason, param string) error { return &Refused{Reason: r, Param: param} }

func refusedBecause(r Reason, cause error) error { return &Refused{Reason: r, cause: cause} }

// answer is what the outside learns of a reason.
type answer struct {
	code   string // RFC 6749 section 5.2, RFC 8693 section 2.2.2
	status int
	text   string // what was wrong and what was expected
}

// asRefused finds the reason of any error. What has none is a fault of ours:
// server_error, and the cause goes to the log alone.
func asRefused(err error) *Refused {
	var r *Refused
	if errors.As(err, &r) {
		return r
	}
	var m *mint.Refusal
	if errors.As(err, &m) {
		// A reason that has no answer is a fault of ours, not the caller's.
		if _, known := answers[Reason(m.Reason)]; known {
			return &Refused{Reason: Reason(m.Reason), Excess: m.Excess, cause: err}
		}
	}
	if errors.Is(err, ErrStoreUnavailable) {
		return &Refused{Reason: "store_unavailable", cause: err}
	}
	return &Refused{Reason: "server_error", cause: err}
}

const errorPage = "https://github.com/scopegate/scopegate/blob/main/docs/errors.md#"

// maxExcess is how many entries of an excess are shown.
const maxExcess = 10

// shownExcess is the part of an excess that is shown: its first entries, without
// those that somebody wrote a token into.
func shownExcess(all []scopes.Excess) []scopes.Excess {
	shown := slices.DeleteFunc(slices.Clone(all), func(e scopes.Excess) bool {
		return hasTokenForm(e.Service) || hasTokenForm(e.Permission) || hasTokenForm(e.Resource)
	})
	return shown[:min(len(shown), maxExcess)]
}

// errorBody satisfies OAuth clients (the first three) and CSP clients (the rest).
type errorBody struct {
	Error        string          `json:"error"`
	Description  string          `json:"error_description"`
	URI          string          `json:"error_uri"`
	StatusCode   int             `json:"statusCode"`
	ModuleCode   string          `json:"moduleCode"`
	Metadata     any             `json:"metadata"`
	Message      string          `json:"message"`
	CSPErrorCode string          `json:"cspErrorCode"`
	RequestID    string          `json:"requestId"`
	TraceID      string          `json:"traceId,omitempty"`
	Excess       []scopes.Excess `json:"excess,omitempty"`
}

// writeError answers a refused request of a client.
func writeError(w http.ResponseWriter, r *http.Request, e *Refused, decisionID string) {
	a, known := answers[e.Reason]
	if !known {
		a = answers["server_error"]
	}
	if a.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="scopegate", charset="UTF-8"`)
	}
	a.write(w, r, e, decisionID)
}

// describe is the text of a refusal, with the name of the parameter that it is about.
func (a answer) describe(e *Refused) string {
	if e.Param == "" {
		return a.text
	}
	return a.text + " (" + e.Param + ")"
}

// write is the one place that writes a refusal of an endpoint of the issuer.
func (a answer) write(w http.ResponseWriter, r *http.Request, e *Refused, decisionID string) {
	text := a.describe(e)
	body := errorBody{
		Error: a.code, Description: text, URI: errorPage + string(e.Reason), StatusCode: a.status,
		ModuleCode: "scopegate", Message: a.code + ": " + text, CSPErrorCode: string(e.Reason),
		RequestID: decisionID, TraceID: traceID(r.Header.Get("Traceparent")),
		Excess: shownExcess(e.Excess),
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(e.retryIn()))
	}
	w.Header().Set(decisionHeader, decisionID)
	writeJSON(w, a.status, body)
}

// retryAfter is the number of seconds after which a client may try again, where
// nobody can tell.
const retryAfter = 1

// retryIn is the number of whole seconds after which a client may try again.
func (e *Refused) retryIn() int {
	return max(retryAfter, int((e.wait+time.Second-1)/time.Second))
}

// noStore says of an answer that it is for nobody else, and no more than it says.
func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	noStore(w.Header())
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // The client is gone if this fails; there is nobody to tell.
}

// traceID returns the trace id of a traceparent header (W3C Trace Context
// section 3.2.2), "" if there is none or it is not well-formed.
func traceID(parent string) string {
	if len(parent) < 55 || parent[2] != '-' || parent[35] != '-' {
		return ""
	}
	id := parent[3:35]
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return id
}
