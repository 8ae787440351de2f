package clients

import "slices"

// grantBound are the parameters that decide over access.
var grantBound = []string{
	"allowed_resource_scope", "servicesPermissionsScopesDto", "target_audience", "audience", "resource",
	"requested_token_type", "orgId", "org_id", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
}

// walkParameters leaves out each parameter that must be there, and adds each that
// a grant does not have.
func (c *contract) walkParameters() {
	path := tokenPaths[0]
	narrowing := []string{"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id"}
	subject := []string{"subject_token", "subject_token_type"}
	actor := []string{"actor_token", "actor_token_type"}
	for _, grant := range []struct {
		client, name string
		must, may    []string
	}{
		{"web", "authorization_code", []string{"code", "redirect_uri"}, nil},
		{"web", "refresh_token", []string{"refresh_token"}, nil},
		{"web", "client_credentials", nil, nil},
		{"web", "password", []string{"username", "password"}, nil},
		{"agent", "client_delegate", subject, []string{"audience", "requested_token_type"}},
		{"batch", "audience_exchange", append(subject, "target_audience"), []string{"requested_token_type"}},
		{"console", "context_switch", append(subject, "orgId"), nil},
		{"console", "impersonate_user", append(subject, actor...), nil},
		{"agent", rfcExchange, subject, append(actor, "audience", "resource", "requested_token_type")},
	} {
		with := func(without, more string) question {
			params := []string{"grant_type", grant.name}
			for _, name := range append(slices.Clone(grant.must), more) {
				if name != without && name != "" {
					params = append(params, name, "x")
				}
			}
			return form(path, grant.client, params...)
		}
		for _, name := range grant.must {
			c.refused(400, "parameter_missing", with(name, ""))
		}
		for _, name := range grantBound {
			if !slices.Contains(slices.Concat(grant.must, grant.may, narrowing), name) {
				c.refused(400, "parameter_misplaced", with("", name))
			}
		}
	}
}
