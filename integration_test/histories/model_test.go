package histories

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// kind is what a request does with a code or with what came of it.
type kind string

const (
	redeem  kind = "redeem"  // the code, with the right verifier
	miss    kind = "miss"    // the code, with a wrong verifier
	refresh kind = "refresh" // the n-th refresh token; 0 came with the code
)

// What a request was answered. All but the last three are reasons of the token
// endpoint.
const (
	codeUsed       = "code_used"
	codeReused     = "code_reused"
	codeInvalid    = "code_invalid"
	verifierWrong  = "code_verifier_wrong"
	refreshUsed    = "refresh_token_used"
	refreshReused  = "refresh_token_reused"
	refreshInvalid = "refresh_token_invalid"
	loginGone      = "user_gone" // the grant is revoked, and its record only now

	granted   = "tokens"
	postponed = "503 or a timeout" // it may have happened or not, and a server that lives may take it back
	cut       = "no answer"        // of a server that was killed: it may have happened or not
	overtaken = "overtaken"        // see linearizable
)

// request is the input of one operation.
type request struct {
	kind kind
	n    int
	// late says that the answer may have come after the window in which a
	// second use is only refused: then it may also be taken for a thief's.
	late bool
	// writes is how often it may have written the record, if nobody knows.
	writes int
}

func (r request) String() string {
	if r.kind == refresh {
		return fmt.Sprint(r.kind, " ", r.n)
	}
	return string(r.kind)
}

// view is a record as a server sees it: from a code, over a family of tokens,
// to revoked.
type view struct {
	status  string // issued, active or revoked
	misses  int    // of a code
	counter int    // of the newest refresh token
	repeats int    // how often that one was given again
}

const (
	issued  = "issued"
	active  = "active"
	revoked = "revoked"
)

var dead = view{status: revoked}

// step is one thing that can come of a request. A step that is settled wrote
// the record, or saw what nobody takes back.
type step struct {
	answer  string
	next    view
	settled bool
}

// steps are all things that can come of a request when a record is seen so.
// This is the specification: a code is spent once, a refresh token rotates once
// and is repeated three times, an older one revokes, and nothing is lost.
func steps(v view, r request) []step {
	switch {
	case r.kind == miss:
		return missed(v)
	case r.kind == redeem && v.status == issued:
		return []step{{granted, view{status: active}, true}}
	case r.kind == redeem && v.status == active:
		if r.late {
			return []step{{codeUsed, v, false}, {codeReused, dead, true}}
		}
		return []step{{codeUsed, v, false}}
	case r.kind == redeem:
		// Of two thieves at once, both are told that they revoke.
		return []step{{codeInvalid, v, true}, {codeReused, v, true}}
	}
	switch {
	case v.status == revoked:
		return []step{{refreshInvalid, v, true}, {refreshReused, v, true}, {loginGone, v, true}}
	case v.status == issued || r.n > v.counter:
		return []step{{refreshInvalid, v, false}}
	case r.n == v.counter:
		return []step{{granted, view{status: active, counter: v.counter + 1}, true}}
	case r.n < v.counter-1:
		return []step{{refreshReused, dead, true}}
	}
	var out []step
	if v.repeats < 3 {
		again := v
		again.repeats++
		out = append(out, step{granted, again, true})
	}
	if v.repeats == 3 {
		out = append(out, step{refreshUsed, v, false})
	}
	if r.late {
		out = append(out, step{refreshReused, dead, true})
	}
	return out
}

// missed counts a wrong verifier. The fifth burns the code.
func missed(v view) []step {
	switch v.status {
	case issued:
		v.misses++
		if v.misses == 5 {
			v = dead
		}
		return []step{{verifierWrong, v, true}}
	case active:
		return []step{{verifierWrong, v, false}}
	}
	// It may have been revoked between the look at it and the count.
	return []step{{codeInvalid, v, true}, {verifierWrong, v, true}}
}

// doubt is a record of which servers may have different views: one of them knows
// that nobody was answered for the last write, and takes it back. There is one
// view if there is no doubt.
type doubt []view

func (d doubt) with(views ...view) doubt {
	d = append(slices.Clone(d), views...)
	slices.SortFunc(d, func(a, b view) int {
		return cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.misses, b.misses),
			cmp.Compare(a.counter, b.counter), cmp.Compare(a.repeats, b.repeats))
	})
	return slices.Compact(d)
}

// model is the record of one grant.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{doubt{{status: issued}}} },
	Step: func(state, input, output any) []any {
		return next(state.(doubt), input.(request), output.(string))
	},
	Equal:             func(a, b any) bool { return slices.Equal(a.(doubt), b.(doubt)) },
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, ": ", output) },
	DescribeState:     func(state any) string { return fmt.Sprint(state) },
}).ToModel()

// next are the states after an operation, none if it cannot be answered so.
func next(d doubt, r request, answer string) (states []any) {
	switch answer {
	case postponed: // Whoever looks sees one or the other.
		return []any{d.with(slices.Concat(written(d, r)...)...)}
	case cut, overtaken: // It is one or the other.
		states = append(states, d)
		for _, views := range written(d, r) {
			for _, v := range views {
				states = append(states, doubt{v})
			}
		}
		return states
	}
	refused := false
	for _, v := range d {
		for _, s := range steps(v, r) {
			switch {
			case answer != s.answer:
			case s.settled:
				states = append(states, doubt{s.next})
			default:
				refused = true
			}
		}
	}
	if refused {
		states = append(states, d)
	}
	return states
}

// written are the views after a request has written once, twice and so on.
func written(d doubt, r request) (views []doubt) {
	for range r.writes {
		after := doubt{}
		for _, v := range d {
			for _, s := range steps(v, r) {
				if s.settled {
					after = after.with(s.next)
				}
			}
		}
		views, d = append(views, after), after
	}
	return views
}
