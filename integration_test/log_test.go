package integration_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Line is one line that the process wrote. Fields is nil if it is not JSON.
type Line struct {
	Raw    string
	Fields map[string]any
}

// String returns a field as text, "" if it is missing or no string.
func (l Line) String(field string) string {
	s, _ := l.Fields[field].(string)
	return s
}

// Msg returns the message.
func (l Line) Msg() string { return l.String("msg") }

// Level returns the level in lower case, as Caddy writes it.
func (l Line) Level() string { return l.String("level") }

// Logger returns the name of the logger.
func (l Line) Logger() string { return l.String("logger") }

// MsgIs matches the lines with exactly this message.
func MsgIs(msg string) func(Line) bool {
	return func(l Line) bool { return l.Msg() == msg }
}

// logBook takes what a process writes, line by line, and wakes who waits for a
// line. It is the Writer of the process.
type logBook struct {
	mu      sync.Mutex
	partial []byte
	lines   []Line
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

func newLogBook() *logBook { return &logBook{changed: make(chan struct{})} }

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.partial = append(b.partial, p...)
	for {
		line, rest, found := bytes.Cut(b.partial, []byte("\n"))
		if !found {
			break
		}
		b.add(string(line))
		b.partial = rest
	}
	b.wake()
	return len(p), nil
}

func (b *logBook) add(raw string) {
	line := Line{Raw: raw}
	if json.Unmarshal([]byte(raw), &line.Fields) != nil {
		line.Fields = nil
	}
	b.lines = append(b.lines, line)
}

func (b *logBook) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *logBook) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.partial) > 0 {
		b.add(string(b.partial))
		b.partial = nil
	}
	b.closed = true
	b.wake()
}

// since returns the lines from the given number on.
func (b *logBook) since(mark int) []Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Line(nil), b.lines[mark:]...)
}

func (b *logBook) mark() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.lines)
}

func (b *logBook) text() string {
	var text strings.Builder
	for _, line := range b.since(0) {
		text.WriteString(line.Raw + "\n")
	}
	return text.String()
}

// wait returns the first line from mark on that matches, as soon as it is
// there; false when the time is over or the process has ended without it.
func (b *logBook) wait(timeout time.Duration, mark int, match func(Line) bool) (Line, bool) {
	deadline := time.After(timeout)
	for {
		b.mu.Lock()
		lines, closed, changed := b.lines[mark:], b.closed, b.changed
		b.mu.Unlock()
		for _, line := range lines {
			if match(line) {
				return line, true
			}
		}
		if closed {
			return Line{}, false
		}
		mark += len(lines)
		select {
		case <-changed:
		case <-deadline:
			return Line{}, false
		}
	}
}
