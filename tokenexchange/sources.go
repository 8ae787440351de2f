package tokenexchange

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Sources says where the words of one block were written, such as
// "Caddyfile:12". It is there for errors and decides nothing. The key is the
// word, "permit 2" for its second line, and "" for the block itself.
type Sources map[string]string

// Add notes where the n-th line, from 0, of a word was written.
func (s Sources) Add(word string, n int, place string) { s[lineKey(word, n)] = place }

// Remove forgets the n-th line, from 0, of a word.
func (s Sources) Remove(word string, n int) { delete(s, lineKey(word, n)) }

// Place puts the place of an error in front of it, and the name of the block
// that it is in, such as "client web". An error of InLine is placed at that
// line, any other at the block.
func (s Sources) Place(block string, err error) error {
	if err == nil {
		return nil
	}
	place := s[""]
	if at := (lineError{}); errors.As(err, &at) && s[lineKey(at.word, at.n)] != "" {
		place = s[lineKey(at.word, at.n)]
	}
	if block != "" {
		err = fmt.Errorf("%s: %w", block, err)
	}
	if place != "" {
		err = fmt.Errorf("%s: %w", place, err)
	}
	return err
}

func lineKey(word string, n int) string {
	if n == 0 {
		return word
	}
	return word + " " + strconv.Itoa(n+1)
}

// lineError is an error in the n-th line of a word, counted from 0.
type lineError struct {
	word string
	n    int
	err  error
}

func (e lineError) Error() string { return e.word + ": " + e.err.Error() }
func (e lineError) Unwrap() error { return e.err }

// InLine says that an error is about the n-th line, from 0, of a word.
func InLine(word string, n int, err error) error {
	if err == nil {
		return nil
	}
	return lineError{word, n, err}
}

// inWord is InLine for a word that has one line.
func inWord(word, format string, args ...any) error {
	return lineError{word, 0, fmt.Errorf(format, args...)}
}

// ReadFile reads a file that a configuration names. An error shows the path as
// it was written and, if that is another, where it was looked for.
func ReadFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("an empty path; expected the path of a file")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(absolute)
	if err != nil {
		err = fmt.Errorf("%w; expected a file that this process can read", err)
		if absolute != path {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	return data, err
}
