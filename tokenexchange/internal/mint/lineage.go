package mint

import (
	"errors"
	"slices"
)

// maxParents is how many tokens can stand between the first token of a chain and
// its last: each hop makes one token.
const maxParents = MaxHops - 1

// lineage returns the tokens that one made from this is a child of: the first
// token of the chain, and those between, the oldest first. Each of them can be
// revoked, and takes along what came of it and nothing else.
func (c *claims) lineage() (root string, parents []string) {
	if c.RootJTI == "" {
		return c.ID, nil
	}
	return c.RootJTI, append(slices.Clone(c.ParentJTIs), c.ID)
}

// checkChain refuses a token that does not say of which tokens it was made: one
// that is missing there could be revoked without an effect on this one.
func (c *claims) checkChain() error {
	switch {
	case (c.RootJTI == "") != (c.RootIAT == 0):
		return errors.New("of the claims root_jti and root_iat one is missing or empty")
	case len(c.ParentJTIs) > 0 && c.RootJTI == "":
		return errors.New("the claim parent_jtis stands without root_jti")
	case len(c.ParentJTIs) > maxParents || slices.Contains(c.ParentJTIs, ""):
		return errors.New("the claim parent_jtis: expected at most 3 tokens, each by its jti")
	case c.RootJTI != "" && len(c.ParentJTIs) != max(0, len(c.actors)+len(c.Via)-1):
		return errors.New("the claim parent_jtis does not have one token for each hop but the first")
	}
	return nil
}

// rootIssuedAt is when the first token of the chain was issued. What ends that
// one ends all that came of it, so a derivation makes no token younger.
func (c *claims) rootIssuedAt() int64 {
	if c.RootIAT != 0 {
		return min(c.RootIAT, c.IssuedAt)
	}
	return c.IssuedAt
}
