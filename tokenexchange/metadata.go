package tokenexchange

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// metadata is RFC 8414 section 2 and OpenID Connect Discovery section 3, as
// far as this version has what they describe.
type metadata struct {
	Issuer            string   `json:"issuer"`
	TokenEndpoint     string   `json:"token_endpoint"`
	KeysURI           string   `json:"jwks_uri"`
	Scopes            []string `json:"scopes_supported"`
	ResponseTypes     []string `json:"response_types_supported"`
	GrantTypes        []string `json:"grant_types_supported"`
	AuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgorithms    []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	SubjectTypes      []string `json:"subject_types_supported"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported,omitempty"`
}

// metadataOf is generated from the configuration, so that it cannot promise
// what is not there.
func metadataOf(r *Realm, ring *mint.Ring) metadata {
	m := metadata{
		Issuer: r.issuer, TokenEndpoint: r.issuer + "/oauth2/token", KeysURI: r.issuer + "/oauth2/jwks",
		Scopes: []string{}, ResponseTypes: []string{}, GrantTypes: []string{},
		AuthMethods: []string{}, SubjectTypes: []string{"public"}, IDTokenAlgorithms: []string{},
	}
	add := func(list *[]string, words ...string) {
		for _, w := range words {
			if !slices.Contains(*list, w) {
				*list = append(*list, w)
			}
		}
	}
	for _, c := range r.clients {
		for _, word := range c.Scopes {
			if _, selects := groupOf(word); !selects { // Anyone can read this page.
				add(&m.Scopes, word)
			}
		}
		for _, name := range c.grants {
			add(&m.GrantTypes, name, vmwarePrefix+strings.ReplaceAll(name, "_", "-"))
			if findGrant(name).exchange {
				add(&m.GrantTypes, exchangeGrant)
			}
		}
		if slices.Contains(c.grants, authorizationCode) {
			// SHA256 is in no registry that readers of this page know.
			add(&m.ChallengeMethods, slices.DeleteFunc(slices.Clone(c.pkceMethods), func(method string) bool { return method == "SHA256" })...)
		}
		if r.identifies(c) {
			add(&m.IDTokenAlgorithms, c.IDAlg)
		}
		switch {
		case c.public:
			add(&m.AuthMethods, "none")
		case c.keys != nil:
			add(&m.AuthMethods, "private_key_jwt")
			m.AuthAlgorithms = []string{mint.ES256, mint.RS256}
		default:
			add(&m.AuthMethods, "client_secret_basic", "client_secret_post")
		}
	}
	if ring.Can(mint.RS256) {
		add(&m.IDTokenAlgorithms, mint.RS256)
	}
	for _, list := range [][]string{m.Scopes, m.GrantTypes, m.AuthMethods, m.IDTokenAlgorithms, m.ChallengeMethods} {
		slices.Sort(list)
	}
	return m
}
