package tokenexchange

import (
	"slices"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// view gives an offer to its page, with the boxes ticked that make a choice: at
// first all of them, see everything.
func (o offer) view(ticked choice) ([]pages.Service, []pages.Scope) {
	held := ticked.set.Entries()
	services := grouped(o.items(), func(i item) bool {
		return i.required || slices.ContainsFunc(held, func(h scopes.Entry) bool { return covers(h, i.Entry) })
	})
	var words []pages.Scope
	for _, word := range o.scope {
		fixed := word == openID
		words = append(words, pages.Scope{Value: word, Required: fixed, Chosen: fixed || slices.Contains(ticked.scope, word)})
	}
	return services, words
}

// view gives what a client has, for a page without boxes.
func (c choice) view() ([]pages.Service, []pages.Scope) {
	return offer{scope: c.scope, set: c.set}.view(c)
}

// grouped puts items, which are sorted, under their permissions and services.
// The name of a service is the page's: it has the texts.
func grouped(items []item, chosen func(item) bool) (list []pages.Service) {
	for _, i := range items {
		if n := len(list); n == 0 || list[n-1].ID != i.Service {
			list = append(list, pages.Service{ID: i.Service})
		}
		s := &list[len(list)-1]
		if n := len(s.Permissions); n == 0 || s.Permissions[n-1].ID != i.Permission {
			s.Permissions = append(s.Permissions, pages.Permission{ID: i.Permission})
		}
		p := &s.Permissions[len(s.Permissions)-1]
		p.Resources = append(p.Resources, pages.Resource{
			Value: i.value(), Pattern: i.Resource.String(), Required: i.required, Chosen: chosen(i),
		})
	}
	return list
}
