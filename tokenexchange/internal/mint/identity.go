package mint

import (
	"slices"
	"strings"
)

// identity is what only an id token says, of the claims of OpenID Connect Core
// section 2 and 5.1 and of groups. No access token of ours has any of it.
type identity struct {
	Nonce             string   `json:"nonce,omitempty"`
	AtHash            string   `json:"at_hash,omitempty"`
	Name              string   `json:"name,omitempty"`
	GivenName         string   `json:"given_name,omitempty"`
	FamilyName        string   `json:"family_name,omitempty"`
	PreferredUsername string   `json:"preferred_username,omitempty"`
	Email             string   `json:"email,omitempty"`
	EmailVerified     bool     `json:"email_verified,omitempty"`
	GroupIDs          []string `json:"group_ids,omitempty"`
	GroupNames        []string `json:"group_names,omitempty"`
	GroupsTruncated   bool     `json:"groups_truncated,omitempty"`
}

// text returns the field of a claim that is a string, nil for any other name.
func (i *identity) text(name string) *string {
	switch name {
	case "nonce":
		return &i.Nonce
	case "at_hash":
		return &i.AtHash
	case "name":
		return &i.Name
	case "given_name":
		return &i.GivenName
	case "family_name":
		return &i.FamilyName
	case "preferred_username":
		return &i.PreferredUsername
	case "email":
		return &i.Email
	}
	return nil
}

// tell writes what the scope asks for of a user.
func (i *identity) tell(u *User, scope []string) {
	has := func(word string) bool { return slices.Contains(scope, word) }
	if has("profile") {
		i.GivenName, i.FamilyName, i.PreferredUsername = u.GivenName, u.FamilyName, u.Username
		i.Name = u.GivenName
		if i.Name != "" && u.FamilyName != "" {
			i.Name += " "
		}
		i.Name += u.FamilyName
	}
	// An address that nobody verified names nobody. Readers that take email for
	// a name, and do not look at email_verified, would believe it.
	if has("email") && u.EmailVerified && u.Email != "" {
		i.Email, i.EmailVerified = u.Email, true
	}
	for _, g := range u.Groups {
		if has("group_ids") || has("grpid://"+g.ID) {
			i.GroupIDs = append(i.GroupIDs, g.ID)
		}
		if has("group_names") || has("grpn://"+g.Name) {
			i.GroupNames = append(i.GroupNames, g.Name)
		}
	}
}

// IdentityClaims returns the names of the claims that id tokens and userinfo can
// have with a scope.
func IdentityClaims(scope []string) []string {
	names := []string{
		"iss", "sub", "aud", "exp", "iat", "jti", "azp", "auth_time", "sid", "grant_id", "nonce", "at_hash",
		"acct", "username", "domain", "context", "context_name",
	}
	for _, word := range scope {
		switch {
		case word == "profile":
			names = append(names, "name", "given_name", "family_name", "preferred_username")
		case word == "email":
			names = append(names, "email", "email_verified")
		case word == "group_ids", strings.HasPrefix(word, "grpid://"):
			names = append(names, "group_ids", "groups_truncated")
		case word == "group_names", strings.HasPrefix(word, "grpn://"):
			names = append(names, "group_names", "groups_truncated")
		}
	}
	return names
}

// cut keeps the first groups of each list, and marks that there were more.
func (i *identity) cut(n int) {
	n = max(n, 0)
	i.GroupsTruncated = i.GroupsTruncated || len(i.GroupIDs) > n || len(i.GroupNames) > n
	i.GroupIDs = i.GroupIDs[:min(n, len(i.GroupIDs))]
	i.GroupNames = i.GroupNames[:min(n, len(i.GroupNames))]
}
