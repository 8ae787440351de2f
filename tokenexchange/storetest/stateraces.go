package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// maxAnswers is how many requests one refresh token answers: the rotation and
// three repeats.
const maxAnswers = 4

func (f *stateFixture) raceCode(n int, code string) outcome {
	f.Helper()
	return f.together(n, func(s *tokenexchange.State, wait func()) (string, error) { return f.spend(s, code, wait) })
}

func (f *stateFixture) raceRefresh(n int, refresh string) outcome {
	f.Helper()
	return f.together(n, func(s *tokenexchange.State, wait func()) (string, error) { return f.use(s, refresh, wait) })
}

// testConstantRandom draws no random bytes: requests write equal ones, each
// looks like the others' lost answer, and more of them win than may.
func testConstantRandom(t *testing.T, f *stateFixture) {
	mutant := openStates(t, f.h, constantRandom{}, nil)
	noticed(t, mutant, mutant.issue("code"), mutant.begin("family"), noWait)
}

// testGetThenSet takes compare-and-swap out of the store.
func testGetThenSet(t *testing.T, f *stateFixture) {
	var read sync.WaitGroup
	mutant := openStates(t, f.h, nil, func(s tokenexchange.Store) tokenexchange.Store { return getThenSet{s, &read} })
	noticed(t, mutant, mutant.issue("code"), mutant.begin("family"), func() { read.Add(racers) })
}

func noticed(t *testing.T, mutant *stateFixture, code, refresh string, before func()) {
	t.Helper()
	before()
	if got := mutant.raceCode(racers, code).answers; got < 2 {
		t.Errorf("got %d that spent the code: the race of codes can see nothing", got)
	}
	before()
	if got := mutant.raceRefresh(racers, refresh).answers; got <= maxAnswers {
		t.Errorf("got %d that used the refresh token: the race of refresh tokens can see nothing", got)
	}
}

func testRaceCode(t *testing.T, f *stateFixture) {
	code := f.issue("code")
	out := f.raceCode(crowd, code)
	if out.answers != 1 || out.errs[tokenexchange.ErrSpent] != crowd-1 {
		t.Fatalf("got %d that spent the code, and refused %v; want 1, and all others with ErrSpent", out.answers, out.errs)
	}
	if late := f.raceCode(racers, code); late.errs[tokenexchange.ErrSpent] != racers {
		t.Errorf("at once again: got %+v, want ErrSpent for all", late)
	}
	f.pass(5 * time.Second)
	if late := f.raceCode(racers, code); late.errs[tokenexchange.ErrReused] != racers {
		t.Errorf("5 s later: got %+v, want ErrReused for all", late)
	}
	for refresh := range out.texts {
		next, err := f.use(f.states[1], refresh, noWait)
		if err != nil {
			t.Errorf("the code's refresh token: got %v, want no error", err)
		}
		f.revoke("code")
		f.refuses("the code's refresh token after Revoke", next, tokenexchange.ErrNotFound)
	}
	if late := f.raceCode(racers, code); late.errs[tokenexchange.ErrNotFound] != racers {
		t.Errorf("after Revoke: got %+v, want ErrNotFound for all", late)
	}
}

func testRaceRefresh(t *testing.T, f *stateFixture) {
	first := f.begin("family")
	out := f.raceRefresh(crowd, first)
	if out.answers < 1 || out.answers > maxAnswers || len(out.texts) != 1 || out.errs[tokenexchange.ErrSpent] != crowd-out.answers {
		t.Fatalf("got %d answers with %d successors, and refused %v; want 1 to %d with one, and all others with ErrSpent", out.answers, len(out.texts), out.errs, maxAnswers)
	}
	// An answer that was lost and overtaken takes one away.
	if !f.h.Lossy && out.answers != maxAnswers {
		t.Errorf("got %d answers, want %d", out.answers, maxAnswers)
	}
	if fam, err := f.states[1].Families().Load(t.Context(), "family"); err != nil || fam.Counter != 1 {
		t.Errorf("Load: got %+v, %v; want one rotation", fam, err)
	}
	f.refuses("the old one in its window", first, tokenexchange.ErrSpent)
	f.pass(10 * time.Second)
	f.refuses("the old one after its window", first, tokenexchange.ErrReused)
	for second := range out.texts {
		third, err := f.use(f.states[1], second, noWait)
		if err != nil || third == first || third == second {
			t.Errorf("the successor: got %q, %v; want another token", third, err)
		}
		f.refuses("the one before the one before", first, tokenexchange.ErrReused)
		f.revoke("family")
		f.refuses("the newest after Revoke", third, tokenexchange.ErrNotFound)
	}
	f.refuses("the old one after Revoke", first, tokenexchange.ErrNotFound)
}

func testRaceClaim(t *testing.T, f *stateFixture) {
	claim := func(s *tokenexchange.State, wait func()) (string, error) {
		wait()
		first, err := s.Once().Claim(t.Context(), f.attempt(s), "assertion", "id", f.in(time.Minute))
		if err == nil && !first {
			err = tokenexchange.ErrSpent
		}
		return "", err
	}
	for range 2 {
		if got := f.together(crowd, claim).answers; got != 1 {
			t.Errorf("got %d that were the first, want 1", got)
		}
		if got := f.together(racers, claim).answers; got != 0 {
			t.Errorf("afterwards: got %d that were the first, want none", got)
		}
		f.pass(time.Minute) // Now it is another one.
	}
}

// testRaceMisses burns a code while others would spend it: there is a family,
// or the code is burnt, and never both.
func testRaceMisses(t *testing.T, f *stateFixture) {
	code := f.issue("code")
	var turn atomic.Int32
	out := f.together(racers, func(s *tokenexchange.State, wait func()) (string, error) {
		if turn.Add(1)%8 == 0 {
			return f.spend(s, code, wait)
		}
		r, err := s.Codes().Find(t.Context(), code, stateClient)
		wait()
		if err == nil {
			err = r.Miss(t.Context(), f.attempt(s))
		}
		if err == nil {
			err = tokenexchange.ErrSpent // It is not among the answers.
		}
		return "", err
	})
	_, codeErr := f.states[1].Codes().Find(t.Context(), code, stateClient)
	_, familyErr := f.states[0].Families().Load(t.Context(), "code")
	switch out.answers {
	case 0:
		if !errors.Is(codeErr, tokenexchange.ErrNotFound) || !errors.Is(familyErr, tokenexchange.ErrNotFound) {
			t.Errorf("nobody spent the code: got %v and %v, want it burnt", codeErr, familyErr)
		}
	case 1:
		if codeErr != nil || familyErr != nil {
			t.Errorf("somebody spent the code: got %v and %v, want a family", codeErr, familyErr)
		}
	default:
		t.Errorf("got %d that spent the code, want at most 1", out.answers)
	}
}

// testRaceRevocation revokes a family while others use its token.
func testRaceRevocation(t *testing.T, f *stateFixture) {
	first := f.begin("family")
	var turn atomic.Int32
	out := f.together(racers, func(s *tokenexchange.State, wait func()) (string, error) {
		if turn.Add(1)%8 != 0 {
			return f.use(s, first, wait)
		}
		wait()
		if err := s.Families().Revoke(t.Context(), f.attempt(s), "family"); err != nil {
			return "", err
		}
		return "", tokenexchange.ErrNotFound
	})
	if out.answers > maxAnswers || len(out.texts) > 1 {
		t.Errorf("got %d answers with %d successors, want at most %d with one", out.answers, len(out.texts), maxAnswers)
	}
	f.refuses("the token after Revoke", first, tokenexchange.ErrNotFound)
	for next := range out.texts {
		f.refuses("its successor after Revoke", next, tokenexchange.ErrNotFound)
	}
}
