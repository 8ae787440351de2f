package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/tokenexchange"
)

// words reads the lines of one block. It refuses what a reader of the file
// would trip over: a repeated single value, wrong arity, an unknown word.
type words struct {
	*caddyfile.Dispenser
	block string // for errors: "client web"
	seen  map[string]bool
}

func newWords(d *caddyfile.Dispenser, block string) *words {
	return &words{Dispenser: d, block: block, seen: map[string]bool{}}
}

// once refuses the second line of a word that has one value.
func (w *words) once() error {
	word := w.Val()
	if w.seen[word] {
		return w.Errf("%s: %s is given twice; expected once", w.block, word)
	}
	w.seen[word] = true
	return nil
}

// one reads a word with exactly one value, given once.
func (w *words) one(into *string, expected string) error {
	if err := w.once(); err != nil {
		return err
	}
	return w.value(into, expected)
}

// value reads a word with exactly one value.
func (w *words) value(into *string, expected string) error {
	word := w.Val()
	args := w.RemainingArgs()
	switch {
	case len(args) != 1:
		return w.Errf("%s: %s: expected %s, found %d values", w.block, word, expected, len(args))
	case args[0] == "":
		return w.Errf("%s: %s: expected %s, found an empty value", w.block, word, expected)
	}
	*into = args[0]
	return w.noBlock(word)
}

// flag reads a word without a value.
func (w *words) flag(into *bool) error {
	if err := w.once(); err != nil {
		return err
	}
	word := w.Val()
	if args := w.RemainingArgs(); len(args) > 0 {
		return w.Errf("%s: %s: unrecognized %q; it takes no value", w.block, word, args[0])
	}
	*into = true
	return w.noBlock(word)
}

// list reads a word with one or more values, given once.
func (w *words) list(into *[]string, expected string) error {
	if err := w.once(); err != nil {
		return err
	}
	word := w.Val()
	args := w.RemainingArgs()
	if len(args) == 0 {
		return w.Errf("%s: %s: expected %s", w.block, word, expected)
	}
	*into = args
	return w.noBlock(word)
}

func (w *words) duration(into *tokenexchange.Duration) error {
	word := w.Val()
	var text string
	if err := w.one(&text, "a duration such as 5m"); err != nil {
		return err
	}
	d, err := caddy.ParseDuration(text)
	if err != nil || d < time.Second {
		return w.Errf("%s: %s: %q; expected a duration of at least 1s, such as 5m", w.block, word, text)
	}
	*into = tokenexchange.Duration(d)
	return nil
}

func (w *words) unrecognized(expected string) error {
	return w.Errf("%s: unrecognized %q; expected %s", w.block, w.Val(), expected)
}

// noBlock refuses a block where none belongs, an empty one too.
func (w *words) noBlock(word string) error {
	before := w.Line()
	nesting := w.Nesting()
	if w.NextBlock(nesting) {
		return w.Errf("%s: %s: unrecognized %q; it takes no block", w.block, word, w.Val())
	}
	if w.Val() == "}" && w.Line() > before {
		return w.Errf("%s: %s: an empty block; it takes no block", w.block, word)
	}
	return nil
}
