package caddymodule

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/tokenexchange"
)

// words reads the lines of one block. It refuses what a reader of the file
// would trip over: a repeated single value, wrong arity, an unknown word. It
// notes where each line was written, for errors that only a whole configuration
// shows.
type words struct {
	*caddyfile.Dispenser
	block   string // for errors: "client web"
	lines   map[string]int
	sources tokenexchange.Sources
}

// newWords begins the block of the line that the dispenser is at.
func newWords(d *caddyfile.Dispenser, block string) *words {
	return &words{Dispenser: d, block: block, lines: map[string]int{}, sources: tokenexchange.Sources{"": place(d)}}
}

// place is where the dispenser is, as in "Caddyfile:12".
func place(d *caddyfile.Dispenser) string {
	return fmt.Sprintf("%s:%d", filepath.Base(d.File()), d.Line())
}

// each reads the lines of the block.
func (w *words) each(parse func() error) error {
	for nesting := w.Nesting(); w.NextBlock(nesting); {
		if w.behindBrace() {
			return w.Errf("%s: unrecognized %q behind }; expected it on a line of its own", w.block, w.Val())
		}
		w.note(w.Val())
		if err := parse(); err != nil {
			return err
		}
	}
	return nil
}

// behindBrace reports whether the word stands on the line that closes a block.
// Caddy reads it as another line, and nobody can see of which block.
func (w *words) behindBrace() bool {
	w.Prev()
	brace := w.Val() == "}"
	if w.NextArg() { // It knows lines, also over files and imports.
		return brace
	}
	w.Next()
	return false
}

// note notes where the next line of a word was written.
func (w *words) note(word string) {
	w.sources.Add(word, w.lines[word], place(w.Dispenser))
	w.lines[word]++
}

// forget is for a line whose block has places of its own.
func (w *words) forget(word string) {
	w.lines[word]--
	w.sources.Remove(word, w.lines[word])
}

// eachOf is each for a block that may be left out, but not be empty.
func (w *words) eachOf(expected string, parse func() error) error {
	before := w.Line()
	if err := w.each(parse); err != nil {
		return err
	}
	if len(w.sources) == 1 && w.emptyBlock(before) {
		return w.Errf("%s: an empty block; expected %s", w.block, expected)
	}
	return nil
}

// emptyBlock reports whether NextBlock has just gone over an empty block.
func (w *words) emptyBlock(before int) bool { return w.Val() == "}" && w.Line() > before }

// found says what was found where something else was expected.
func found(args []string, least int) string {
	text := fmt.Sprintf("found %d values", len(args))
	switch {
	case slices.Contains(args, ""):
		text = "found an empty value"
	case len(args) == 0:
		text = "found no value"
	case len(args) == 1:
		text = "found 1 value"
	}
	return text + nothing(args, least)
}

// nothing is the hint for a line that is too short: a {$NAME} that is not set
// leaves nothing, so its writer sees a value where we see none.
func nothing(args []string, least int) string {
	if len(args) < least || slices.Contains(args, "") {
		return " (a {$NAME} that is not set in the environment leaves nothing)"
	}
	return ""
}

// once refuses the second line of a word that has one value.
func (w *words) once() error {
	if word := w.Val(); w.lines[word] > 1 {
		return w.Errf("%s: %s is given twice; expected once, as at %s", w.block, word, w.sources[word])
	}
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
	if len(args) != 1 || args[0] == "" {
		return w.Errf("%s: %s: expected %s, %s", w.block, word, expected, found(args, 1))
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
		// What stands there may be a secret: `public <secret>`, `api_tokens <token>`.
		return w.Errf("%s: %s: expected nothing after it, it takes no value", w.block, word)
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
	if len(args) == 0 || slices.Contains(args, "") {
		return w.Errf("%s: %s: expected %s, %s", w.block, word, expected, found(args, 1))
	}
	*into = args
	return w.noBlock(word)
}

// another reads one value of a word that may be repeated.
func (w *words) another(into *[]string, expected string) error {
	var value string
	if err := w.value(&value, expected); err != nil {
		return err
	}
	*into = append(*into, value)
	return nil
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

// number reads a word with one number that is not negative, given once.
func (w *words) number(into *int) error {
	word := w.Val()
	var text string
	if err := w.one(&text, "a number"); err != nil {
		return err
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return w.Errf("%s: %s: %q; expected a number such as 1", w.block, word, text)
	}
	*into = int(n)
	return nil
}

// atLeastOne is number where 0 would not mean none.
func (w *words) atLeastOne(into *int) error {
	word := w.Val()
	err := w.number(into)
	if err == nil && *into == 0 {
		err = w.Errf("%s: %s: 0; expected at least 1", w.block, word)
	}
	return err
}

func (w *words) unrecognized(expected string) error {
	return w.Errf("%s: unrecognized %q; expected %s", w.block, w.Val(), expected)
}

// choice reads a word with one of some values, given once.
func (w *words) choice(into *string, values ...string) error {
	expected := oneOf(values)
	word := w.Val()
	if err := w.one(into, expected); err != nil {
		return err
	}
	if !slices.Contains(values, *into) {
		return w.Errf("%s: %s: unrecognized %q; expected %s", w.block, word, *into, expected)
	}
	return nil
}

// toggle reads a word with one of two values, given once. The first is the
// default; "" is none that can be written.
func (w *words) toggle(into *bool, off, on string) error {
	values := []string{off, on}
	if off == "" {
		values = values[1:]
	}
	var value string
	err := w.choice(&value, values...)
	*into = value == on
	return err
}

// oneOf writes values as in "a, b or c".
func oneOf(values []string) string {
	last := len(values) - 1
	if last < 1 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// noBlock refuses a block where none belongs, an empty one too.
func (w *words) noBlock(word string) error {
	before := w.Line()
	nesting := w.Nesting()
	if w.NextBlock(nesting) {
		return w.Errf("%s: %s: unrecognized %q; expected another line, it takes no block", w.block, word, w.Val())
	}
	if w.emptyBlock(before) {
		return w.Errf("%s: %s: an empty block; expected another line, it takes no block", w.block, word)
	}
	return nil
}
