package caddymodule

import (
	"slices"

	"github.com/scopegate/scopegate/tokenexchange"
)

// parseClient parses:
//
//	client <id> {
//		secret                   {env.X}|{file.X}|sha256:<hex>   # at most 2
//		public
//		jwks_file                <path>
//		grant_types              <grant...>
//		org                      <org>
//		allowed_orgs             <org...>
//		redirect_uri             <uri>                           # repeated
//		post_logout_redirect_uri <uri>                           # repeated
//		pkce                     required|optional
//		pkce_methods             <S256|plain|SHA256...>
//		scope                    <scope...>
//		permit                   <permission> <pattern...> | none
//		own                      <permission> <pattern...> | none
//		required                 <permission> <pattern...>       # repeated
//		target_audiences         <audience...>
//		allow                    <grant...> by <client...> [to <audience...>]
//		access_token_validity    <duration>
//		refresh_token_validity   <duration>
//		max_groups_in_id_token   <number>
//		access_token_alg         ES256|RS256
//		id_token_alg             ES256|RS256
//		accept_subject_ip
//		api_tokens
//		display_name             <text>
//	}
func parseClient(w *words) (c tokenexchange.ClientConfig, err error) {
	args := w.RemainingArgs()
	if len(args) != 1 {
		return c, w.Errf("scopegate: client: expected one id, %s", found(args, 1))
	}
	c.ID = args[0]
	inner := newWords(w.Dispenser, "client "+c.ID)
	c.Sources = inner.sources
	if err = inner.each(func() error { return parseClientWord(inner, &c) }); err == nil && len(inner.lines) == 0 {
		// Otherwise the words of a block without its { are taken for those of scopegate.
		return c, w.Errf("scopegate: client %s: there is nothing in its block; expected { at the end of the line, and words such as secret below it", c.ID)
	}
	return c, err
}

func parseClientWord(w *words, c *tokenexchange.ClientConfig) error {
	switch w.Val() {
	case "secret":
		return parseSecret(w, c)
	case "public":
		return w.flag(&c.Public)
	case "jwks_file":
		return w.one(&c.JWKSFile, "the path of a file")
	case "grant_types":
		return w.list(&c.GrantTypes, "at least one grant")
	case "org":
		return w.one(&c.Org, "an organization")
	case "allowed_orgs":
		return w.list(&c.AllowedOrgs, "at least one organization")
	case "redirect_uri":
		return w.another(&c.RedirectURIs, "a URI")
	case "post_logout_redirect_uri":
		return w.another(&c.PostLogoutRedirectURIs, "a URI")
	case "scope":
		return w.list(&c.Scope, "at least one scope")
	case "permit":
		return parseLine(w, &c.Permit)
	case "own":
		return parseLine(w, &c.Own)
	case "required":
		return parseRequired(w, c)
	case "target_audiences":
		return w.list(&c.TargetAudiences, "at least one audience")
	case "allow":
		return parseAllow(w, c)
	}
	return parseClientSetting(w, c)
}

// parseClientSetting reads the words of a client that say how, and not what.
func parseClientSetting(w *words, c *tokenexchange.ClientConfig) error {
	switch w.Val() {
	case "pkce":
		return w.choice(&c.PKCE, "required", "optional")
	case "pkce_methods":
		return w.list(&c.PKCEMethods, "at least one of S256, plain and SHA256")
	case "access_token_validity":
		return w.duration(&c.AccessTokenValidity)
	case "refresh_token_validity":
		return w.duration(&c.RefreshTokenValidity)
	case "max_groups_in_id_token":
		return w.atLeastOne(&c.MaxGroupsInIDToken)
	case "access_token_alg":
		return w.choice(&c.AccessTokenAlg, "ES256", "RS256")
	case "id_token_alg":
		return w.choice(&c.IDTokenAlg, "ES256", "RS256")
	case "accept_subject_ip":
		return w.flag(&c.AcceptSubjectIP)
	case "api_tokens":
		return w.flag(&c.APITokens)
	case "display_name":
		return w.one(&c.DisplayName, "a name, in quotes if it has blanks")
	}
	return w.unrecognized("secret, public, jwks_file, grant_types, org, allowed_orgs, redirect_uri, post_logout_redirect_uri, pkce, pkce_methods, scope, permit, own, required, target_audiences, allow, access_token_validity, refresh_token_validity, max_groups_in_id_token, access_token_alg, id_token_alg, accept_subject_ip, api_tokens or display_name")
}

func parseSecret(w *words, c *tokenexchange.ClientConfig) error {
	var ref string
	if err := w.value(&ref, "{env.X}, {file.X} or sha256:<hex>"); err != nil {
		return err
	}
	if len(c.SecretRefs) == 2 {
		return w.Errf("%s: secret is given three times; expected at most two live secrets", w.block)
	}
	c.SecretRefs = append(c.SecretRefs, ref)
	return nil
}

// parseLine parses a permit or own line. none says that nothing is meant, and
// excludes other lines.
func parseLine(w *words, lines **[]tokenexchange.PermissionLine) error {
	word, args := w.Val(), w.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "none":
		if *lines != nil {
			return w.Errf("%s: %s none excludes other %s lines; expected one or the other", w.block, word, word)
		}
		*lines = &[]tokenexchange.PermissionLine{}
		return w.noBlock(word)
	case len(args) < 2:
		return w.Errf("%s: %s: expected SERVICE/PERMISSION and at least one resource pattern, or none", w.block, word)
	case *lines != nil && len(**lines) == 0:
		return w.Errf("%s: %s none excludes other %s lines; expected one or the other", w.block, word, word)
	case *lines == nil:
		*lines = &[]tokenexchange.PermissionLine{}
	}
	**lines = append(**lines, tokenexchange.PermissionLine{Permission: args[0], Patterns: args[1:]})
	return w.noBlock(word)
}

// parseRequired parses a required line. Where nothing is required there is none.
func parseRequired(w *words, c *tokenexchange.ClientConfig) error {
	args := w.RemainingArgs()
	if len(args) < 2 {
		return w.Errf("%s: required: expected SERVICE/PERMISSION and at least one resource pattern; no line if nothing is required", w.block)
	}
	c.Required = append(c.Required, tokenexchange.PermissionLine{Permission: args[0], Patterns: args[1:]})
	return w.noBlock("required")
}

// parseAllow parses: allow <grant...> by <client...> [to <audience...>]
func parseAllow(w *words, c *tokenexchange.ClientConfig) error {
	const expected = "%s: allow: expected allow <grant...> by <client...> [to <audience...>]"
	args := w.RemainingArgs()
	by := slices.Index(args, "by")
	if by < 1 || by == len(args)-1 {
		return w.Errf(expected, w.block)
	}
	grants, clients := args[:by], args[by+1:]
	var audiences []string
	if to := slices.Index(clients, "to"); to >= 0 {
		clients, audiences = clients[:to], clients[to+1:]
		// Said twice, a word of the line would be an audience.
		if len(audiences) == 0 || slices.Contains(audiences, "to") || slices.Contains(audiences, "by") {
			return w.Errf(expected, w.block)
		}
	}
	if len(clients) == 0 {
		return w.Errf(expected, w.block)
	}
	for i, grant := range grants {
		if i > 0 { // A line for several grants is several lines to the app.
			w.note("allow")
		}
		c.Allow = append(c.Allow, tokenexchange.AllowConfig{Grant: grant, By: clients, To: audiences})
	}
	return w.noBlock("allow")
}
