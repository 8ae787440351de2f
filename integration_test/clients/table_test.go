package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tokenTable is tokenexchange/testdata/parameters.txt and bodies.txt, whose heads
// say how they are written.
type tokenTable struct {
	requests map[string]string
	accepts  map[string][]string
	seeds    []string // names of parameters
	cases    []tokenCase
}

// tokenCase is a request that our server refuses.
type tokenCase struct {
	name         string // section, request and what is special
	request      string // whose good request it changes
	send         string
	body         *asked // in place of both
	status       string // of our answer
	code, reason string // of our answer
}

func readTokenTable(t *testing.T) *tokenTable {
	t.Helper()
	file, err := os.Open("../../tokenexchange/testdata/parameters.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table := &tokenTable{requests: map[string]string{}, accepts: map[string][]string{}}
	section := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text := strings.TrimSpace(lines.Text())
		cells := strings.Split(text, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case text == "" || text[0] == '#':
		case text[0] == '[':
			section = strings.Trim(text, "[]")
		case section == "requests":
			table.requests[cells[0]] = cells[1]
		case section == "accepts":
			for name := range strings.FieldsSeq(cells[0]) {
				table.accepts[name] = append(table.accepts[name], strings.Fields(cells[1])...)
			}
		case section == "seeds":
			if cells[0] == "parameter" {
				table.seeds = append(table.seeds, strings.Fields(cells[1])...)
			}
		case cells[0] == "api_token": // An endpoint that others have not.
		case cells[3][0] >= '4' && cells[3][0] <= '5':
			want := strings.Fields(cells[3])
			table.cases = append(table.cases, tokenCase{
				name: section + ": " + cells[0] + ", " + cells[1], request: cells[0], send: cells[2],
				status: want[0], code: want[1], reason: want[2],
			})
		}
	}
	if len(table.cases) == 0 || len(table.requests) == 0 {
		t.Fatal("the table of token requests has none")
	}
	table.generate()
	table.addBodies(t)
	return table
}

// addBodies adds what tokenexchange/testdata/bodies.txt has.
func (table *tokenTable) addBodies(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../tokenexchange/testdata/bodies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if line[0] == '#' || cells[4] == "granted" {
			continue
		}
		body, rest, large := strings.Cut(cells[3], "$fill")
		if large {
			body += strings.Repeat("x", 64<<10-len(body)) + rest
		}
		body = strings.NewReplacer("$mib", strings.Repeat("x", 1<<20), "$ff", "\xff", "$scope", scopeOf("**"), "$jwt", "eyJ.eyJ.c2ln").Replace(body)
		table.cases = append(table.cases, tokenCase{
			name: "body: " + cells[0], body: &asked{client: "nightly", query: cells[1], kind: cells[2], body: body},
			status: "400", code: "invalid_request", reason: cells[4],
		})
	}
}

// generate adds what TestGrantsAndParameters generates of the same lists: each
// parameter that decides over access with a grant that does not have it, and
// each parameter twice.
func (table *tokenTable) generate() {
	var bound []string
	for _, names := range table.accepts {
		for _, name := range names {
			if !slices.Contains(bound, name) {
				bound = append(bound, name)
			}
		}
	}
	slices.Sort(bound)
	for _, name := range bound {
		for _, request := range []string{"client_credentials", "authorization_code", "refresh_token"} {
			if !slices.Contains(table.accepts[request], name) {
				table.cases = append(table.cases, tokenCase{
					name: "misplaced: " + request + ", " + name, request: request, send: name + "=v",
					status: "400", code: "invalid_request", reason: "parameter_misplaced",
				})
			}
		}
	}
	names := append(slices.Clone(table.seeds), bound...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		table.cases = append(table.cases, tokenCase{
			name: "twice: client_credentials, " + name, request: "client_credentials", send: name + "=v&" + name + "=v",
			status: "400", code: "invalid_request", reason: "parameter_repeated",
		})
	}
}

// asked is a token request to be sent.
type asked struct {
	client, query, kind, body string
}

// build makes the request of a case: the good one, with what the case sends in
// the place of its own parameters of these names.
func (table *tokenTable) build(t *testing.T, c tokenCase, value func(name string) string) asked {
	t.Helper()
	if c.body != nil {
		return *c.body
	}
	client, params := clientAndRest(table.requests[c.request])
	send := c.send
	if strings.HasPrefix(send, "@") {
		client, send = clientAndRest(send)
	}
	if strings.HasPrefix(send, "{") {
		return asked{client: client, kind: "application/json", body: jsonBody(t, params, send, value)}
	}
	return asked{client: client, kind: "application/x-www-form-urlencoded", body: formBody(params, send, value)}
}

func clientAndRest(text string) (client, rest string) {
	client, rest, _ = strings.Cut(strings.TrimPrefix(text, "@"), " ")
	return client, strings.TrimSpace(rest)
}

func formBody(base, send string, value func(string) string) string {
	named := func(item string) string {
		name, _, _ := strings.Cut(item, "=")
		return strings.TrimPrefix(name, "-")
	}
	own := strings.FieldsFunc(send, func(r rune) bool { return r == '&' })
	body := slices.DeleteFunc(strings.Split(base, "&"), func(item string) bool {
		return slices.ContainsFunc(own, func(o string) bool { return named(o) == named(item) })
	})
	for _, item := range own {
		if !strings.HasPrefix(item, "-") {
			body = append(body, item)
		}
	}
	return filled(strings.Join(body, "&"), value, url.QueryEscape)
}

func jsonBody(t *testing.T, base, send string, value func(string) string) string {
	t.Helper()
	escape := func(value string) string {
		text := jsonOf(t, value)
		return text[1 : len(text)-1]
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal([]byte(send), &own); err != nil {
		t.Fatalf("%s: %v", send, err)
	}
	body := "{"
	for item := range strings.SplitSeq(base, "&") {
		name, text, _ := strings.Cut(item, "=")
		if _, replaced := own[name]; !replaced {
			body += fmt.Sprintf("%q:%q,", name, text)
		}
	}
	return filled(body+strings.TrimPrefix(send, "{"), value, escape)
}

var dollar = regexp.MustCompile(`\$[a-z0-9_]+`)

func filled(text string, value func(string) string, escape func(string) string) string {
	return dollar.ReplaceAllStringFunc(text, func(name string) string { return escape(value(name[1:])) })
}
