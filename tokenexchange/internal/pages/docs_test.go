package pages

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestPagesDocs has every value and function that templates can use in docs/pages.md.
func TestPagesDocs(t *testing.T) {
	docs := string(must(os.ReadFile("../../../docs/pages.md")))
	rows := map[string]string{}
	for line := range strings.SplitSeq(docs, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			rows[strings.Trim(cells[1], " `")] += cells[2]
		}
	}
	var fields func(row string, of reflect.Type)
	fields = func(row string, of reflect.Type) {
		switch {
		case of.Kind() == reflect.Slice:
			fields(row, of.Elem())
		case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]() && of != reflect.TypeFor[Form]():
			for i := range of.NumField() {
				if name := of.Field(i).Name; !strings.Contains(rows[row], "`."+name+"`") {
					t.Errorf("docs/pages.md: the row of %s has no .%s", row, name)
				}
				// What a service and a scope have is said once.
				if f := of.Field(i).Type; row == "consent" || f != reflect.TypeFor[[]Service]() && f != reflect.TypeFor[[]Scope]() {
					fields(row, f)
				}
			}
			for i := range of.NumMethod() {
				if name := of.Method(i).Name; !strings.Contains(rows[row], "`."+name+"`") {
					t.Errorf("docs/pages.md: the row of %s has no .%s", row, name)
				}
			}
		}
	}
	for _, page := range everyPage {
		fields(page.name(), reflect.TypeOf(page))
	}
	fields("layout", reflect.TypeFor[scene]())
	l := spoken(t)["en"]
	for name := range l.functions() {
		if !strings.Contains(docs, "`"+name+" ") {
			t.Errorf("docs/pages.md: there is no function %s", name)
		}
	}
}
