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
	Introspection     string   `json:"introspection_endpoint,omitempty"`
	Revocation        string   `json:"revocation_endpoint,omitempty"`
	Userinfo          string   `json:"userinfo_endpoint,omitempty"`
	EndSession        string   `json:"end_session_endpoint,omitempty"`
	Authorization     string   `json:"authorization_endpoint,omitempty"`
	Pushed            string   `json:"pushed_authorization_request_endpoint,omitempty"`
	Scopes            []string `json:"scopes_supported"`
	Claims            []string `json:"claims_supported,omitempty"`
	ResponseTypes     []string `json:"response_types_supported"`
	ResponseModes     []string `json:"response_modes_supported,omitempty"`
	Prompts           []string `json:"prompt_values_supported,omitempty"`
	Locales           []string `json:"ui_locales_supported,omitempty"`
	GrantTypes        []string `json:"grant_types_supported"`
	SubjectTypes      []string `json:"subject_types_supported"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported,omitempty"`

	AuthMethods              []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgorithms           []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionMethods     []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAlgorithms  []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationMethods        []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgorithms []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`

	// Who answers with a code says by whom it was made (RFC 9207).
	AnswersIssuer bool `json:"authorization_response_iss_parameter_supported,omitempty"`

	RequestObjects bool `json:"request_parameter_supported"`
	ClaimsRequests bool `json:"claims_parameter_supported"`
	// Discovery has readers take its absence for true.
	RequestURIs bool `json:"request_uri_parameter_supported"`
}

// metadataOf is generated from the configuration, so that it cannot promise
// what is not there.
func metadataOf(r *Realm, ring *mint.Ring) metadata {
	m := metadata{
		Issuer: r.issuer, TokenEndpoint: r.issuer + "/oauth2/token", KeysURI: r.issuer + "/oauth2/jwks",
		Scopes: []string{}, ResponseTypes: []string{}, GrantTypes: []string{},
		AuthMethods: []string{}, SubjectTypes: []string{"public"}, IDTokenAlgorithms: []string{},
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
			m.authorizes(r)
			// SHA256 is in no registry that readers of this page know.
			add(&m.ChallengeMethods, slices.DeleteFunc(slices.Clone(c.pkceMethods), func(method string) bool { return method == "SHA256" })...)
		}
		if r.identifies(c) {
			add(&m.IDTokenAlgorithms, c.IDAlg)
			add(&m.Claims, mint.IdentityClaims(c.Scopes)...)
		}
		m.authenticates(c)
	}
	if ring.Can(mint.RS256) {
		add(&m.IDTokenAlgorithms, mint.RS256)
	}
	m.endpoints(r)
	for _, list := range [][]string{m.Scopes, m.GrantTypes, m.AuthMethods, m.IDTokenAlgorithms, m.ChallengeMethods, m.Claims, m.IntrospectionMethods} {
		slices.Sort(list)
	}
	return m
}

// authorizes says what the authorization endpoint can do.
func (m *metadata) authorizes(r *Realm) {
	m.Authorization, m.Pushed = r.issuer+authorizePath, r.issuer+"/oauth2/par"
	m.ResponseTypes, m.ResponseModes = []string{"code"}, []string{"query"}
	m.Prompts = []string{promptNone, promptLogin, promptConsent, promptSelect}
	m.Locales = r.pages.Languages()
	m.AnswersIssuer = true
}

// authenticates adds how a client says who it is.
func (m *metadata) authenticates(c *client) {
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

// endpoints names those that a client of this configuration can use.
func (m *metadata) endpoints(r *Realm) {
	m.Revocation, m.RevocationMethods, m.RevocationAuthAlgorithms = r.issuer+"/oauth2/revoke", m.AuthMethods, m.AuthAlgorithms
	// Introspection is for clients that can prove who they are.
	for _, method := range m.AuthMethods {
		if method != "none" {
			add(&m.IntrospectionMethods, method)
		}
	}
	if len(m.IntrospectionMethods) > 0 {
		m.Introspection, m.IntrospectionAlgorithms = r.issuer+"/oauth2/introspect", m.AuthAlgorithms
	}
	for _, c := range r.clients {
		if c.opens() {
			m.Userinfo, m.EndSession = r.issuer+"/oauth2/userinfo", r.issuer+logoutPath
		}
	}
}

// add appends the words that a list does not have yet.
func add(list *[]string, words ...string) {
	for _, w := range words {
		if !slices.Contains(*list, w) {
			*list = append(*list, w)
		}
	}
}
