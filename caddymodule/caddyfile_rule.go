package caddymodule

import (
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// parseRule parses a rule. Package scopes knows the forms of its lines:
//
//	<METHOD> <path> <permission> <resource> [{
//		each <variable> <separator>
//	}]
//	<METHOD> <path> {
//		<permission> <resource> | all_of { ... } | any_of { ... }
//		each <variable> <separator>
//	}
//	grpc <service>/<method> ...
//	authenticated|public <METHOD> <path>
//	authenticated|public grpc <service>/<method>
func parseRule(w *words) (scopes.Rule, error) {
	source := place(w.Dispenser)
	line := append([]string{w.Val()}, w.RemainingArgs()...)
	if hint := lineHint(line); hint != "" {
		return scopes.Rule{}, w.Errf("%s: %q: %s", w.block, strings.Join(line, " "), hint)
	}
	r, err := scopes.ParseRule("", line...)
	if err != nil {
		return r, w.Errf("%s: %w%s", w.block, err, nothing(line, 3))
	}
	r.Source = source
	inner := newWords(w.Dispenser, w.block+": "+r.Method+" "+r.Path)
	if r.Access != scopes.AccessNone {
		return r, inner.noBlock(line[0])
	}
	err = inner.eachOf("all_of, any_of, each, or a permission and a resource", func() error { return parseRuleWord(inner, &r) })
	if err == nil && len(r.AllOf)+len(r.AnyOf) == 0 {
		err = w.Errf("%s: nothing is needed; expected a permission and a resource, as in: GET /orders/{id} orders.read orders/{id}, or a block with them", inner.block)
	}
	return r, err
}

// parseRuleWord parses a line of a rule's block.
func parseRuleWord(w *words, r *scopes.Rule) (err error) {
	switch word := w.Val(); word {
	case "each":
		if err := w.once(); err != nil {
			return err
		}
		if r.Each, err = scopes.ParseEach("", w.RemainingArgs()...); err != nil {
			return w.Errf("%s: %w", w.block, err)
		}
		return w.noBlock(word)
	case "all_of", "any_of":
		if len(r.AllOf)+len(r.AnyOf) > 0 {
			return w.Errf("%s: %s beside other needs; expected one of: all_of, any_of, or a single permission and its resource", w.block, word)
		}
		if args := w.RemainingArgs(); len(args) > 0 {
			return w.Errf("%s: %s: unrecognized %q; expected a block", w.block, word, strings.Join(args, " "))
		}
		into := &r.AllOf
		if word == "any_of" {
			into = &r.AnyOf
		}
		inner := newWords(w.Dispenser, w.block+": "+word)
		err := inner.eachOf("a permission and a resource", func() error { return parseNeed(inner, into) })
		if err == nil && len(*into) == 0 {
			err = w.Errf("%s: there is no block; expected one with a permission and a resource a line", inner.block)
		}
		return err
	}
	if len(r.AllOf)+len(r.AnyOf) > 0 {
		return w.Errf("%s: %q: a second need; expected all_of or any_of around several", w.block, w.Val())
	}
	if w.CountRemainingArgs() == 0 {
		return w.unrecognized("all_of, any_of, each, or a permission and a resource" + nothing(nil, 1))
	}
	return parseNeed(w, &r.AllOf)
}

// parseNeed parses the line of one need.
func parseNeed(w *words, into *[]scopes.RuleNeed) error {
	source := place(w.Dispenser)
	line := append([]string{w.Val()}, w.RemainingArgs()...)
	switch line[0] {
	case "all_of", "any_of", "each":
		return w.Errf("%s: unrecognized %q; expected a permission and a resource", w.block, line[0])
	}
	need, err := scopes.ParseNeed("", line...)
	if err != nil {
		return w.Errf("%s: %w%s", w.block, err, nothing(line, 2))
	}
	need.Source = source
	*into = append(*into, need)
	return w.noBlock(line[0])
}

// lineHint says what is wrong with a line that is written as other routers
// want it; "" if nothing is.
func lineHint(line []string) string {
	if line[0] == "public" || line[0] == "authenticated" {
		line = line[1:]
	}
	if len(line) < 2 {
		return ""
	}
	if strings.ContainsAny(line[0], ",|") || scopes.IsMethod(line[0]) && (scopes.IsMethod(line[1]) || strings.HasPrefix(line[1], ",")) {
		return "several methods; expected one method a line, as in: GET /orders/{id} orders.read orders/{id}"
	}
	for segment := range strings.SplitSeq(line[1], "/") {
		switch {
		case len(segment) > 1 && segment[0] == ':':
			return "the segment " + segment + " is no variable; expected {" + segment[1:] + "}"
		case line[0] != "grpc" && strings.Contains(segment, "*"):
			return "a path has no wildcards; expected {name} for one segment, or {name...} for the rest of the path"
		}
	}
	return ""
}
