package tokenexchange

import (
	"fmt"
	"slices"
	"strings"
)

// lookAtLogins warns of what cannot be meant about logins in the browser.
func (r *Realm) lookAtLogins() {
	var clients []string
	for _, c := range r.clients {
		if slices.Contains(c.grants, authorizationCode) {
			clients = append(clients, c.ID)
		}
	}
	if slices.Sort(clients); len(clients) > 0 && !r.users.passwords() && len(r.providers) == 0 {
		r.warn(fmt.Sprintf("clients %s: nobody can log in for authorization_code; expected users with a password_hash in a users file, or users oidc", strings.Join(clients, ", ")))
	}
	services, permissions := r.pages.Named()
	for _, id := range services {
		if r.services[id] == nil {
			r.warn(fmt.Sprintf("pages: there are words for service.%s, which no configured service is; expected one of the services: %s", id, r.ServiceNames()))
		}
	}
	for _, name := range permissions {
		if service, permission, _ := strings.Cut(name, "/"); !r.Declares(service, permission) {
			r.warn(fmt.Sprintf("pages: there are words for permission.%s, which no service declares; expected permission.SERVICE/PERMISSION", name))
		}
	}
}
