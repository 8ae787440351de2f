package tokenexchange

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// parameterTable is testdata/parameters.txt, whose head says how it is written.
type parameterTable struct {
	seeds    map[string][]string // names of the API, by "grant" and "parameter"
	requests map[string]string   // a good request, by the short name of its grant
	accepts  map[string][]string // the grant-bound parameters of a request
	cases    []*parameterCase
}

// parameterCase is one line: what differs from the good request, and what comes
// of it.
type parameterCase struct {
	line                               int
	section, request, what, send, want string
}

func (c *parameterCase) name() string {
	return fmt.Sprintf("line %d: %s: %s, %s", c.line, c.section, c.request, c.what)
}

// granted reports whether the case wants tokens. A refusal begins with its status.
func (c *parameterCase) granted() bool { return c.want[0] < '0' || c.want[0] > '9' }

func readParameterTable(t *testing.T) *parameterTable {
	t.Helper()
	file, err := os.Open("testdata/parameters.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table := &parameterTable{seeds: map[string][]string{}, requests: map[string]string{}, accepts: map[string][]string{}}
	lines, section := bufio.NewScanner(file), ""
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if text[0] == '[' {
			section = strings.Trim(text, "[]")
			continue
		}
		if err := table.add(n, section, text); err != nil {
			t.Fatalf("testdata/parameters.txt:%d: %v", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return table
}

// add reads one line of a section.
func (table *parameterTable) add(line int, section, text string) error {
	cells := strings.Split(text, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	kind, _, _ := strings.Cut(section, " ")
	switch {
	case section == "seeds" && len(cells) == 2:
		table.seeds[cells[0]] = append(table.seeds[cells[0]], strings.Fields(cells[1])...)
	case section == "requests" && len(cells) == 2:
		table.requests[cells[0]] = cells[1]
	case section == "accepts" && len(cells) == 2:
		for name := range strings.FieldsSeq(cells[0]) {
			table.accepts[name] = append(table.accepts[name], strings.Fields(cells[1])...)
		}
	case (kind == "grant" || kind == "parameter") && len(cells) == 4:
		c := &parameterCase{line: line, section: section, request: cells[0], what: cells[1], send: cells[2], want: cells[3]}
		if table.requests[c.request] == "" || c.want == "" {
			return fmt.Errorf("expected the name of a request, and what comes of it, in %q", text)
		}
		table.cases = append(table.cases, c)
	default:
		return fmt.Errorf("the section %q cannot have %q", section, text)
	}
	return nil
}

// run sends the request of a case to a server of its own.
func (c *parameterCase) run(t *testing.T, base string) {
	h := everyGrant(t)
	g := h.do(c.build(h, base))
	want := strings.Fields(c.want)
	if !c.granted() {
		if len(want) < 3 || len(want) > 4 {
			t.Fatalf("want %q, expected a status, an error, a reason, and the parameter if the answer names it", c.want)
		}
		g.refused(t, int(want[0][0]-'0')*100+int(want[0][1]-'0')*10+int(want[0][2]-'0'), want[1], want[2])
		param := ""
		if len(want) == 4 {
			param = " (" + want[3] + ")"
		}
		if text := answers[Reason(want[2])].text + param; g.body["error_description"] != text {
			t.Errorf("got %q, want %q", g.body["error_description"], text)
		}
		return
	}
	if token, _ := g.body["access_token"].(string); g.status != http.StatusOK || token == "" || g.body["error"] != nil {
		t.Fatalf("got %d %s, want a token", g.status, g.raw)
	}
	if g.record["allowed"] != true || g.record["reason"] != "allowed" || g.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got the record %v and the headers %v", g.record, g.header)
	}
	for _, item := range want {
		view, value, ok := strings.Cut(item, "=")
		if !ok {
			t.Fatalf("want %q, expected what=value", item)
		}
		if got := h.view(t, g, view); got != h.filled(must(url.QueryUnescape(value)), nil) {
			t.Errorf("%s: got %s, want %s", view, got, value)
		}
	}
}

// build makes the request: the good one, with the parameters that the case sends
// in the place of its own ones of these names.
func (c *parameterCase) build(h *fullHouse, base string) *http.Request {
	client, params := clientAndRest(base)
	send := c.send
	if strings.HasPrefix(send, "@") {
		client, send = clientAndRest(send)
	}
	var r *http.Request
	if strings.HasPrefix(send, "{") {
		r = form(jsonBody(h, params, send))
		r.Header.Set("Content-Type", "application/json")
	} else {
		r = form(formBody(h, params, send))
	}
	if client != "" {
		r.SetBasicAuth(client, secretOf(client))
	}
	if c.request == grantAPIToken.name {
		r.URL.Path = "/csp/gateway/am/api/auth/api-tokens/authorize"
	}
	return r
}

// clientAndRest splits "@client rest"; "@ rest" is a request without a header.
func clientAndRest(text string) (client, rest string) {
	client, rest, _ = strings.Cut(strings.TrimPrefix(text, "@"), " ")
	return client, strings.TrimSpace(rest)
}

// formBody joins the parameters that stay, and those that are sent instead.
func formBody(h *fullHouse, base, send string) string {
	var own, body []string
	if send != "" {
		own = strings.Split(send, "&")
	}
	named := func(item string) string {
		name, _, _ := strings.Cut(item, "=")
		return strings.TrimPrefix(name, "-")
	}
	for item := range strings.SplitSeq(base, "&") {
		if !slices.ContainsFunc(own, func(o string) bool { return named(o) == named(item) }) {
			body = append(body, item)
		}
	}
	for _, item := range own {
		if !strings.HasPrefix(item, "-") {
			body = append(body, item)
		}
	}
	return h.filled(strings.Join(body, "&"), url.QueryEscape)
}

// jsonBody puts the parameters that stay in front of the members that are sent
// as they are written.
func jsonBody(h *fullHouse, base, send string) string {
	escape := func(value string) string {
		text := string(must(json.Marshal(value)))
		return text[1 : len(text)-1]
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal([]byte(send), &own); err != nil {
		h.t.Fatalf("%s: %v", send, err)
	}
	body := ""
	for item := range strings.SplitSeq(base, "&") {
		name, value, _ := strings.Cut(item, "=")
		if _, replaced := own[name]; !replaced {
			body += `"` + name + `":"` + escape(must(url.QueryUnescape(value))) + `",`
		}
	}
	return "{" + h.filled(body, escape) + h.filled(strings.TrimPrefix(send, "{"), escape)
}
