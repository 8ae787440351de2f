package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// shownKey is what anybody may see of a key.
type shownKey struct {
	ID     string     `json:"id"`            // the kid; of a state key what codes and refresh tokens begin with
	Alg    string     `json:"alg,omitempty"` // none of a state key
	Does   string     `json:"does"`          // signs, next, verifies; of state keys seals, next, opens
	Since  *time.Time `json:"since,omitempty"`
	From   *time.Time `json:"from,omitempty"`  // of the next one
	Until  *time.Time `json:"until,omitempty"` // when it is deleted
	Source string     `json:"source"`
}

// phases of a generated key.
const (
	phaseFirst = iota
	phaseNext
	phaseRetired
)

// show returns the keys of a line, in the order of a ring. One that is absent has
// none.
func (l *keyLine[K]) show(ctx context.Context, now time.Time, words [3]string) ([]shownKey, error) {
	doc, err := l.load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := l.read(doc, ask{now: now})
	if err != nil {
		return nil, err
	}
	turns := byTurn(doc.schedule())
	signs := signing(turns, now)
	shown := make([]shownKey, len(state.keys))
	for i, k := range state.keys {
		at := slices.IndexFunc(turns, func(t scheduled) bool { return t.id == k.id })
		shown[i] = shownKey{ID: k.id, Source: "generated"}
		switch {
		case at == signs:
			shown[i].Does, shown[i].Since = words[phaseFirst], &turns[at].from
		case at > signs:
			shown[i].Does, shown[i].From = words[phaseNext], &turns[at].from
		default:
			until := turns[at+1].from.Add(turns[at].life + l.terms.slack)
			shown[i].Does, shown[i].Until = words[phaseRetired], &until
		}
	}
	return shown, nil
}

// discard takes a key out of the line at once: what it signed is worth nothing from
// then on. If it is the one that signs, the next one takes its place, or a new one.
func (l *keyLine[K]) discard(ctx context.Context, id string, now time.Time) error {
	return l.change(ctx, func(doc *lineDocument) error {
		at := slices.IndexFunc(doc.Keys, func(k storedKey) bool { return k.ID == id })
		if at < 0 {
			return fmt.Errorf("%s is not among the keys of %s", id, l.key)
		}
		gone := doc.Keys[at]
		turns := byTurn(doc.schedule())
		signs := signing(turns, now)
		doc.Keys = slices.Delete(doc.Keys, at, at+1)
		if turns[signs].id != id {
			return nil
		}
		if signs+1 == len(turns) {
			return l.add(doc, now, time.Duration(gone.Life)*time.Second)
		}
		next := slices.IndexFunc(doc.Keys, func(k storedKey) bool { return k.ID == turns[signs+1].id })
		doc.Keys[next].From = now.UTC().Truncate(time.Millisecond)
		return nil
	})
}

var (
	signingWords = [3]string{"signs", "next", "verifies"}
	stateWords   = [3]string{"seals", "next", "opens"}
)

// showSigning returns the signing keys of a configuration in their order. Of each
// algorithm the first one signs, whatever stands behind it.
func (a *App) showSigning(ctx context.Context, lines keyLines, now time.Time) (shown []shownKey, err error) {
	for i, src := range orGenerated(a.SigningKeys) {
		if src.Source == "file" {
			key, err := oneKey(a, "signing_key", i, src, tokenexchange.ParseSigningKey)
			if err != nil {
				return nil, err
			}
			shown = append(shown, shownKey{ID: key.ID(), Alg: key.Alg(), Does: "signs", Source: src.Path})
			continue
		}
		for n, line := range lines.signing {
			keys, err := line.show(ctx, now, signingWords)
			if err != nil {
				return nil, fmt.Errorf("signing_key generated: %w", err)
			}
			for k := range keys {
				keys[k].Alg = signingAlgorithms[n]
			}
			shown = append(shown, keys...)
		}
	}
	return onlyFirst(shown, signingWords), nil
}

func (a *App) showState(ctx context.Context, lines keyLines, now time.Time) (shown []shownKey, err error) {
	for i, src := range orGenerated(a.StateKeys) {
		if src.Source == "generated" {
			keys, err := lines.state.show(ctx, now, stateWords)
			if err != nil {
				return nil, fmt.Errorf("state_key generated: %w", err)
			}
			shown = append(shown, keys...)
			continue
		}
		key, err := oneKey(a, "state_key", i, src, parseStateKey)
		if err != nil {
			return nil, err
		}
		id, err := key.ID()
		if err != nil {
			return nil, err
		}
		shown = append(shown, shownKey{ID: id, Does: "seals", Source: src.Path})
	}
	return onlyFirst(shown, stateWords), nil
}

// oneKey reads the file of a key.
func oneKey[K any](a *App, word string, n int, src KeySource, parse func([]byte) (K, error)) (key K, err error) {
	data, err := files{}.key(src)
	if err == nil {
		key, err = parse(data)
	}
	if err != nil {
		return key, a.at(word, n, err)
	}
	return key, nil
}

// onlyFirst leaves the first word to the first key of each algorithm.
func onlyFirst(shown []shownKey, words [3]string) []shownKey {
	taken := map[string]bool{}
	for i := range shown {
		if k := &shown[i]; k.Does == words[phaseFirst] {
			if taken[k.Alg] {
				k.Does = words[phaseRetired]
			}
			taken[k.Alg] = true
		}
	}
	return shown
}
