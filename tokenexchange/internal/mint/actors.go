package mint

import (
	"errors"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// guardPrefix begins the name of a guard that acts as no configured client. No
// user has it: the users files refuse it as a domain.
const guardPrefix = "guard:"

// isUser tells a user's sub, <domain>:<id>, from the id of a client, which has
// no colon, and from the name of a guard.
func isUser(sub string) bool {
	return strings.Contains(sub, ":") && !strings.HasPrefix(sub, guardPrefix)
}

// operator returns the user who acts for the subject, "" for none.
func (c *claims) operator() string {
	if len(c.actors) == 0 || !isUser(c.actors[len(c.actors)-1]) {
		return ""
	}
	return c.actors[len(c.actors)-1]
}

// checkActors refuses a user who took a token over from somebody: a user acts
// by impersonation alone, which begins a chain.
func (c *claims) checkActors() error {
	for i, sub := range c.actors {
		if isUser(sub) && i < len(c.actors)-1 {
			return errors.New("the claim act names a user who is not the first to act")
		}
	}
	return nil
}

// readActors returns the sub of each link of an act claim (RFC 8693 section
// 4.1). A link without sub is an error: the chain could not be judged.
func readActors(act []byte) ([]string, error) {
	var subs []string
	r := strictjson.NewReader(act)
	var link func() error
	link = func() error {
		at := len(subs)
		subs = append(subs, "")
		err := r.Object(func(name string) (err error) {
			switch name {
			case "sub":
				subs[at], err = r.String()
			case "act":
				err = link()
			default:
				_, err = r.Raw()
			}
			return err
		})
		if err == nil && subs[at] == "" {
			err = errors.New("a link has no sub")
		}
		return err
	}
	return subs, link()
}

// party is the one that a may_act claim names (RFC 8693 section 4.4). Tokens of
// ours never have it; where one is, only that party may derive from the token.
type party struct {
	sub, iss string
	more     bool // it is also described by something that we cannot judge
}

// names reports whether the party is the client of the issuer.
func (p *party) names(client, issuer string) bool {
	return !p.more && p.sub == client && (p.iss == "" || p.iss == issuer)
}

func readParty(r *strictjson.Reader) (*party, error) {
	p := &party{}
	return p, r.Object(func(name string) (err error) {
		switch name {
		case "sub":
			p.sub, err = r.String()
		case "iss":
			p.iss, err = r.String()
		default:
			p.more = true
			_, err = r.Raw()
		}
		return err
	})
}
