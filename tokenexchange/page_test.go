package tokenexchange

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTokenEndpointPage sends the http blocks of the page, which need what no
// reader can make yet: a code. "..." in a request stands for one, and in the
// answer for any text.
func TestTokenEndpointPage(t *testing.T) {
	page, err := os.ReadFile("../docs/token-endpoint.md")
	if err != nil {
		t.Fatal(err)
	}
	requests := strings.Split(string(page), "```http\n")[1:]
	if len(requests) == 0 {
		t.Error("the page shows no request")
	}
	for _, text := range requests {
		request, rest, _ := strings.Cut(text, "\n```")
		_, rest, _ = strings.Cut(rest, "```json\n")
		answer, _, _ := strings.Cut(rest, "\n```")
		h := everyGrant(t)
		head, body, _ := strings.Cut(strings.ReplaceAll(request, "...", h.value("code_phone")), "\n\n")
		lines := strings.Split(head, "\n")
		method, path, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		g := h.do(r)
		var want map[string]any
		if err := json.Unmarshal([]byte(answer), &want); err != nil {
			t.Fatalf("the answer on the page: %v\n%s", err, answer)
		}
		if got, names := slices.Sorted(maps.Keys(g.body)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, names) {
			t.Fatalf("got %s, want the members of %s", g.raw, answer)
		}
		for name, value := range want {
			if got, isText := g.body[name].(string); value == "..." && isText && got != "" {
				continue
			}
			if g.body[name] != value {
				t.Errorf("%s: got %v, the page says %v", name, g.body[name], value)
			}
		}
	}
}
