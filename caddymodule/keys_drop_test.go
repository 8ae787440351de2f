package caddymodule

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestDroppedKeyIsNotFollowedByARetiredOne takes out the key that signs while the
// one before it still verifies: the next one signs, and none that is retired.
func TestDroppedKeyIsNotFollowedByARetiredOne(t *testing.T) {
	shelf, made := newShelf(), 0
	line := textLine(shelf, keyTerms, &made)
	now := time.Now().Truncate(time.Millisecond)
	doc := lineDocument{Version: lineVersion}
	for id, from := range map[string]time.Duration{"retired": -time.Hour - keyTerms.interval, "signs": -time.Hour, "next": time.Hour} {
		doc.Keys = append(doc.Keys, storedKey{ID: id, From: now.Add(from), Life: 24 * 3600, Key: storedText(fmt.Sprintf("key %s\n", id))})
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	shelf.values[line.key] = data
	look := ask{now: now, life: 24 * time.Hour}
	if got := settled(t, line, look); got != "signs next retired" && got != "signs retired next" {
		t.Fatalf("before: got %s", got)
	}
	if err := line.discard(t.Context(), "signs", now); err != nil {
		t.Fatal(err)
	}
	if got := settled(t, line, look); got != "next retired" {
		t.Errorf("dropped: got %s, want that the next one signs", got)
	}
}
