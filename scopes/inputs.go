package scopes

// Inputs are what the variables {query:...}, {header:...} and {claim:...} of a
// rule read, besides the path. Nothing is read that no variable of the rule
// names. The zero value has nothing, so rules with such variables deny. See
// docs/scopes.md, section 3.4.
type Inputs struct {
	Query  string              // the raw query, exactly as it goes upstream
	Header map[string][]string // under canonical names, as net/http has them
	Claims Claims              // of the verified token; nil has none
}

// Claims gives the claims of a token that are texts.
type Claims interface {
	Claim(name string) (value string, ok bool)
}
