package pages

import (
	"html/template"
	"strings"
)

// What a permission allows is told in the exact words of the operator, the text
// permission.<service>/<id>, else by the verb in its id.

// verbs are the words that say in the id of a permission what it allows, and the
// text that tells it.
var verbs = map[string]string{
	"read": "read", "get": "read", "view": "read", "reader": "read", "viewer": "read",
	"list": "list", "search": "search", "find": "search", "query": "search",
	"write": "write", "writer": "write", "edit": "write", "editor": "write", "modify": "write",
	"create": "create", "add": "create", "update": "update", "change": "update",
	"delete": "delete", "remove": "delete", "cancel": "cancel", "approve": "approve",
	"manage": "manage", "manager": "manage", "admin": "admin", "administer": "admin", "owner": "admin",
	"execute": "execute", "run": "execute", "start": "execute", "use": "use",
	"export": "export", "import": "import", "download": "download", "upload": "upload",
	"share": "share", "send": "send", "publish": "publish",
}

// service names a service.
func (l *language) service(s Service) string {
	if s.Name != "" {
		return s.Name
	}
	if exact, err := l.plain("service." + s.ID); err == nil {
		return exact
	}
	return s.ID
}

// permission says what a permission of a service allows.
func (l *language) permission(service, id string) (template.HTML, error) {
	if exact := "permission." + service + "/" + id; l.has(exact) {
		return l.html(exact)
	}
	words := strings.FieldsFunc(id, func(r rune) bool { return strings.ContainsRune("._:-", r) })
	for _, i := range []int{len(words) - 1, 0} {
		if i < 0 || i >= len(words) {
			continue
		}
		verb, known := verbs[strings.ToLower(words[i])]
		switch what := strings.Join(append(words[:i:i], words[i+1:]...), " "); {
		case known && what == "":
			return l.html("verb." + verb + ".alone")
		case known:
			return l.html("verb."+verb, "what", what)
		}
	}
	return l.html("unknown") // The id stands beside it.
}

// pattern says which resources a pattern covers.
func (l *language) pattern(pattern string) (template.HTML, error) {
	parent, last := "", pattern
	if i := strings.LastIndexByte(pattern, '/'); i >= 0 {
		parent, last = pattern[:i], pattern[i+1:]
	}
	prefix, open := strings.CutSuffix(last, "*")
	key, path := "pattern.one", pattern
	switch {
	case last == "**" && parent == "":
		return l.html("pattern.all")
	case last == "**":
		key, path = "pattern.under", parent
	case !open:
	case parent == "" && prefix == "":
		key = "pattern.top"
	case parent == "":
		key = "pattern.top-prefix"
	case prefix == "":
		key, path = "pattern.level", parent
	default:
		key, path = "pattern.level-prefix", parent
	}
	words, err := l.html(key, "path", path, "prefix", prefix)
	if err == nil && strings.Contains(parent, "*") {
		words, err = l.html("pattern.star", "pattern", words)
	}
	return words, err
}

// scope says what a word of the OAuth scope lets a client know or do.
func (l *language) scope(word string) (template.HTML, error) {
	if exact := "scope." + word; l.has(exact) {
		return l.html(exact)
	}
	for _, selects := range []string{"grpn://", "grpid://"} {
		if group, ok := strings.CutPrefix(word, selects); ok {
			return l.html("scope-group", "group", group)
		}
	}
	return l.html("unknown") // The word stands beside it.
}

// reason says why something did not go on, in words for who can do nothing about
// the protocol.
func (l *language) reason(code string) (template.HTML, error) {
	if exact := "reason." + code; l.has(exact) {
		return l.html(exact)
	}
	return l.html("failure.general")
}

// notice says what was just done.
func (l *language) notice(code string) (template.HTML, error) {
	if exact := "notice." + code; l.has(exact) {
		return l.html(exact)
	}
	return l.html("account.done")
}
