package tokenexchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// claims is what is kept of what another issuer said of a user: the claims that
// mapping lines and tokens need, by their name or dotted path.
type claims struct {
	Texts    map[string]string   `json:"texts,omitempty"`    // those that are a string
	Lists    map[string][]string `json:"lists,omitempty"`    // the strings of those that are an array
	Verified bool                `json:"verified,omitempty"` // the claim email_verified is true
}

// identityClaims are those that our own tokens say of a user.
var identityClaims = []string{"sub", "email", "preferred_username", "given_name", "family_name"}

// Limits of what is kept of a user.
const (
	maxListClaim = 1000     // values of a claim
	maxClaims    = 16 << 10 // bytes of all values
)

// readClaims reads the claims with these names from what another issuer signed. A
// name is first that of a claim, then a path into one; where both are there, what
// is meant cannot be told, and all of it is refused.
func readClaims(data []byte, names []string) (claims, error) {
	c := claimsReader{
		Reader: strictjson.NewReader(data), names: names,
		found: claims{Texts: map[string]string{}, Lists: map[string][]string{}},
	}
	err := c.object("")
	if err == nil {
		err = c.End()
	}
	if err != nil {
		return claims{}, fmt.Errorf("reading the claims: %w", err)
	}
	// An address that nobody verified is whatever its user typed.
	if !c.found.Verified {
		delete(c.found.Texts, "email")
		delete(c.found.Lists, "email")
	}
	return c.found, nil
}

type claimsReader struct {
	*strictjson.Reader
	names []string
	found claims
	seen  []string
	size  int
}

// object reads the members of an object to which this path leads.
func (c *claimsReader) object(path string) error {
	return c.Object(func(name string) error {
		at := path + name
		leads := slices.ContainsFunc(c.names, func(name string) bool { return strings.HasPrefix(name, at+".") })
		switch {
		case at == "email_verified" && path == "":
			return c.verified()
		case leads && c.IsObject():
			return c.object(at + ".")
		case slices.Contains(c.names, at):
			return c.claim(at)
		}
		_, err := c.Raw()
		return err
	})
}

// verified reads email_verified. Some providers write it as a string: that is not
// true.
func (c *claimsReader) verified() error {
	raw, err := c.Raw()
	c.found.Verified = string(raw) == "true"
	return err
}

func (c *claimsReader) claim(name string) error {
	if slices.Contains(c.seen, name) {
		return fmt.Errorf("two claims are read as %s", name)
	}
	c.seen = append(c.seen, name)
	if !c.IsArray() {
		text, isText, err := c.text()
		if isText {
			c.found.Texts[name] = text
		}
		return err
	}
	list := []string{}
	err := c.Array(func() error {
		text, isText, err := c.text()
		if isText {
			list = append(list, text)
		}
		if len(list) > maxListClaim {
			return fmt.Errorf("%s has more than %d values", name, maxListClaim)
		}
		return err
	})
	c.found.Lists[name] = list
	return err
}

// text reads any one value, and tells whether it is a string.
func (c *claimsReader) text() (text string, isText bool, err error) {
	if !c.IsString() {
		_, err = c.Raw()
		return "", false, err
	}
	text, err = c.String()
	if c.size += len(text); err == nil && c.size > maxClaims {
		err = errors.New("what is to be kept is larger than 16 KiB")
	}
	return text, true, err
}
