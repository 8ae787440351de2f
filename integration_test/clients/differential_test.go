package clients

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reached is what oidc-provider answers to a grant that it has not and that was
// registered for these tests, when it refused nothing at the door.
const reached = "400 reached"

// TestDifferential sends each token request that our tables refuse to npm
// oidc-provider, set up alike. Status and error are those of our server, which
// TestGrantsAndParameters, TestBodies and TestAssertionClaims hold to the tables, or the difference
// stands in testdata/differences.txt with its reason.
func TestDifferential(t *testing.T) {
	robot, table := newRobot(t), readTokenTable(t)
	p := newProvider(t, robot)
	table.addAssertions(t, robot, p.url)
	p.takesGoodOnes(t, table, robot)
	list := readDifferences(t)
	compared, equal, listed, lacking := 0, 0, 0, 0
	for _, c := range table.cases {
		p.values = map[string]string{}
		got := p.answer(table.build(t, c, p.value))
		if got == reached {
			lacking++
			continue
		}
		compared++
		want := c.status + " " + c.code
		if got == want {
			equal++
			continue
		}
		i := slices.IndexFunc(list, func(d difference) bool { return d.reason == c.reason && d.ours == want && d.theirs == got })
		if i < 0 {
			t.Errorf("%s: got %s, want %s (%s)", c.name, got, want, c.reason)
			continue
		}
		listed++
		list[i].seen++
	}
	for _, d := range list {
		if d.seen != d.cases {
			t.Errorf("testdata/differences.txt: %s, %s, %s: %d requests, the list has %d", d.reason, d.ours, d.theirs, d.seen, d.cases)
		}
	}
	t.Logf("differential: %d malformed requests compared: %d answers are equal, %d differ for a reason that is listed; %d more have a grant that oidc-provider has not",
		compared, equal, listed, lacking)
}

// takesGoodOnes sends the good requests, without which a refusal proves nothing.
func (p *provider) takesGoodOnes(t *testing.T, table *tokenTable, robot robot) {
	t.Helper()
	if got := p.answer(robot.asks(robot.assertion(p.url, "typ", `"JWT"`))); got != "200" {
		t.Fatalf("a good assertion: got %s, want 200: oidc-provider is not set up as our server is", got)
	}
	for request := range table.requests {
		want := reached
		switch request {
		case "api_token": // An endpoint that others have not.
			continue
		case "client_credentials", "authorization_code", "refresh_token", "assertion":
			want = "200"
		}
		p.values = map[string]string{}
		if got := p.answer(table.build(t, tokenCase{request: request}, p.value)); got != want {
			t.Fatalf("the good request %s: got %s, want %s: oidc-provider is not set up as our server is", request, got, want)
		}
	}
}

// difference is a line of testdata/differences.txt.
type difference struct {
	reason, ours, theirs string
	cases, seen          int
}

func readDifferences(t *testing.T) (list []difference) {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		d, err := parseDifference(line)
		if err != nil {
			t.Fatalf("testdata/differences.txt: %q: %v", line, err)
		}
		list = append(list, d)
	}
	return list
}

func parseDifference(line string) (difference, error) {
	cells := strings.Split(line, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if len(cells) != 5 || cells[4] == "" {
		return difference{}, fmt.Errorf("expected a reason, two answers, a number and why")
	}
	cases, err := strconv.Atoi(cells[3])
	return difference{reason: cells[0], ours: cells[1], theirs: cells[2], cases: cases}, err
}
