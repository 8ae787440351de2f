package tokenexchange

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The OpenAPI page has the paths of the table and their methods, and the reasons
// that can occur; what each answers is held against it by TestContract of
// integration_test/clients.
func TestOpenAPINamesTheEndpoints(t *testing.T) {
	page, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\npaths:\n")
	paths, rest, _ := strings.Cut(rest, "\ncomponents:\n  pathItems:\n")
	items, rest, _ := strings.Cut(rest, "\n  securitySchemes:\n")
	documented := map[string][]string{}
	for _, entry := range regexp.MustCompile(`(?m)^  (/\S+):\n    \$ref: '#/components/pathItems/(\w+)'$`).FindAllStringSubmatch(paths, -1) {
		documented[entry[1]] = methodsOf(items, entry[2])
	}
	want := maps.Clone(endpoints)
	want[organizations+"{id}"], want[callbackPath+"{domain}"] = organization, arrivals
	// The handlers of package caddymodule answer these.
	want["/.well-known/scopegate/ready"] = endpoint{methods: read}
	want[ResourcePath], want[ResourcePath+"/{path}"] = metadataEndpoint, metadataEndpoint
	for path, e := range want {
		methods := slices.Clone(e.methods)
		if e.origins != sameOrigin {
			methods = append(methods, http.MethodOptions)
		}
		slices.Sort(methods)
		if got := documented[path]; !slices.Equal(got, methods) {
			t.Errorf("%s: documented for %v, want %v", path, got, methods)
		}
		delete(documented, path)
	}
	for path := range documented {
		t.Errorf("%s is documented, and is no endpoint", path)
	}
	for reason := range answers {
		if !regexp.MustCompile(`[\[ ]` + string(reason) + `[,\]}\n]`).MatchString(rest) {
			t.Errorf("no answer is documented for the reason %s", reason)
		}
	}
}

// methodsOf returns the methods of a path item, sorted. HEAD is where GET is, if
// the item does not say otherwise.
func methodsOf(items, name string) (methods []string) {
	_, item, _ := strings.Cut("\n"+items, "\n    "+name+":\n")
	item = regexp.MustCompile(`(?m)^ {4}\w[\s\S]*`).ReplaceAllString(item, "")
	for _, m := range regexp.MustCompile(`(?m)^ {6}(get|post|options):`).FindAllStringSubmatch(item, -1) {
		methods = append(methods, strings.ToUpper(m[1]))
		if m[1] == "get" && !strings.HasPrefix(item, "      x-no-head: true\n") {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return methods
}
