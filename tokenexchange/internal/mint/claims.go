package mint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// claims is what a token of ours says (docs/tokens.md). What only an access token
// must have is left out of an id token.
type claims struct {
	Issuer      string          `json:"iss"`
	Subject     string          `json:"sub"`
	Audience    audience        `json:"aud"`
	Expiry      int64           `json:"exp"`
	IssuedAt    int64           `json:"iat"`
	NotBefore   int64           `json:"nbf,omitempty"`
	ID          string          `json:"jti"`
	ClientID    string          `json:"client_id,omitempty"`
	AZP         string          `json:"azp"`
	CID         string          `json:"cid,omitempty"`
	Scope       string          `json:"scope,omitempty"`
	AuthTime    int64           `json:"auth_time,omitempty"`
	SID         string          `json:"sid,omitempty"`
	GrantID     string          `json:"grant_id"`
	RootJTI     string          `json:"root_jti,omitempty"`
	RootIAT     int64           `json:"root_iat,omitempty"`
	ParentJTIs  []string        `json:"parent_jtis,omitempty"`
	Account     string          `json:"acct,omitempty"`
	Username    string          `json:"username,omitempty"`
	Domain      string          `json:"domain,omitempty"`
	Context     string          `json:"context,omitempty"`
	ContextName string          `json:"context_name,omitempty"`
	Perms       []string        `json:"perms,omitempty"`
	Act         json.RawMessage `json:"act,omitempty"`
	Via         []string        `json:"via,omitempty"`
	Narrowed    bool            `json:"narrowed,omitempty"`
	Mode        string          `json:"scopegate_mode,omitempty"`
	Allowed     json.RawMessage `json:"allowed_resource_scope,omitempty"`
	identity

	rights  scopes.Set // Allowed, parsed
	actors  []string   // sub of each actor in Act that was read, outermost first
	binding bool       // a cnf claim is present
	mayAct  *party     // the claim may_act, nil where it is absent
}

// audience is written as a string where there is one, as most readers of
// tokens expect (RFC 7519 section 4.1.3).
type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// encode returns the claims as they are signed. HTML escaping is off, so that
// the set is signed in its canonical bytes.
func (c *claims) encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// MaxTime is the last second of the year 9999. Dates outside [0, MaxTime] are
// refused, since casts of such numbers have wrapped around elsewhere.
const MaxTime = 253402300799

// readClaims decodes strictly: a claim of the wrong type is an error, never
// the same as an absent one, and a required claim must be there. An id token
// has no client_id: the client that it was issued to is its one audience.
func readClaims(data []byte, typ string) (claims, error) {
	var c claims
	r := strictjson.NewReader(data)
	if err := r.Object(func(name string) error { return c.read(r, name) }); err != nil {
		return c, err
	}
	if err := r.End(); err != nil {
		return c, err
	}
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"iss", c.Issuer == ""},
		{"sub", c.Subject == ""},
		{"aud", len(c.Audience) == 0 || slices.Contains(c.Audience, "")},
		{"exp", c.Expiry == 0},
		{"iat", c.IssuedAt == 0},
		{"jti", c.ID == ""},
		{"client_id", c.ClientID == "" && typ != TypeID},
	} {
		if required.missing {
			return c, fmt.Errorf("the claim %s is missing or empty", required.name)
		}
	}
	if err := c.checkChain(); err != nil {
		return c, err
	}
	if typ == TypeID {
		c.ClientID = c.Audience[0] // Admit refuses more than one.
	}
	return c, c.checkActors()
}

// text returns the field of a claim that is a string, nil for any other name.
func (c *claims) text(name string) *string {
	switch name {
	case "iss":
		return &c.Issuer
	case "sub":
		return &c.Subject
	case "jti":
		return &c.ID
	case "client_id":
		return &c.ClientID
	case "azp":
		return &c.AZP
	case "cid":
		return &c.CID
	case "scope":
		return &c.Scope
	case "sid":
		return &c.SID
	case "grant_id":
		return &c.GrantID
	case "root_jti":
		return &c.RootJTI
	case "acct":
		return &c.Account
	case "username":
		return &c.Username
	case "domain":
		return &c.Domain
	case "context":
		return &c.Context
	case "context_name":
		return &c.ContextName
	case "scopegate_mode":
		return &c.Mode
	}
	return c.identity.text(name)
}

// date returns the field of a claim that is a date, nil for any other name.
func (c *claims) date(name string) *int64 {
	switch name {
	case "exp":
		return &c.Expiry
	case "iat":
		return &c.IssuedAt
	case "nbf":
		return &c.NotBefore
	case "auth_time":
		return &c.AuthTime
	case "root_iat":
		return &c.RootIAT
	}
	return nil
}

// read reads the value of one claim. A claim that we do not know is checked
// for syntax and has no effect.
func (c *claims) read(r *strictjson.Reader, name string) (err error) {
	text, date := c.text(name), c.date(name)
	switch {
	case text != nil:
		*text, err = r.String()
	case date != nil:
		if *date, err = r.Int(); err == nil && (*date < 0 || *date > MaxTime) {
			err = errors.New("out of range")
		}
	case name == "aud":
		c.Audience, err = readAudience(r)
	case name == "perms":
		c.Perms, err = readStrings(r)
	case name == "parent_jtis":
		c.ParentJTIs, err = readStrings(r)
	case name == "via":
		c.Via, err = readStrings(r)
	case name == "group_ids":
		c.GroupIDs, err = readStrings(r)
	case name == "group_names":
		c.GroupNames, err = readStrings(r)
	case name == "narrowed":
		c.Narrowed, err = r.Bool()
	case name == "email_verified":
		c.EmailVerified, err = r.Bool()
	case name == "groups_truncated":
		c.GroupsTruncated, err = r.Bool()
	case name == "act":
		if c.Act, err = r.Raw(); err == nil {
			c.actors, err = readActors(c.Act)
		}
	case name == "allowed_resource_scope":
		if c.Allowed, err = r.Raw(); err == nil {
			c.rights, err = scopes.ParseSet(c.Allowed)
		}
	case name == "may_act":
		c.mayAct, err = readParty(r)
	case name == "cnf":
		c.binding = true
		_, err = r.Raw()
	default:
		_, err = r.Raw()
	}
	if err != nil {
		return fmt.Errorf("the claim %s: %w", name, err)
	}
	return nil
}

func readStrings(r *strictjson.Reader) (out []string, err error) {
	err = r.Array(func() error {
		s, err := r.String()
		out = append(out, s)
		return err
	})
	return out, err
}

// readAudience reads the two forms of RFC 7519 section 4.1.3.
func readAudience(r *strictjson.Reader) ([]string, error) {
	if r.IsArray() {
		return readStrings(r)
	}
	s, err := r.String()
	if s == "" {
		return nil, err
	}
	return []string{s}, err
}

// words splits a scope claim or parameter.
func words(scope string) []string { return strings.Fields(scope) }
