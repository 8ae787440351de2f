package oidcusers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// metadata is what is used of a provider's metadata (OpenID Connect Discovery
// section 3).
type metadata struct {
	authorization, token, jwks string
	userinfo                   string // "" for none
	authStyle                  oauth2.AuthStyle
	algorithms                 []string // that its id tokens can be signed with
	sendsIssuer                bool     // RFC 9207
}

// algorithms are those that an id token may be signed with: none is symmetric.
var algorithms = []string{oidc.RS256, oidc.PS256, oidc.ES256, oidc.EdDSA}

// fetchMetadata reads the metadata. It must be that of the issuer, byte by byte.
func (p *Provider) fetchMetadata(ctx context.Context) (metadata, error) {
	body, err := p.read(ctx, strings.TrimSuffix(p.settings.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return metadata{}, fmt.Errorf("reading the metadata: %w", err)
	}
	m, err := p.parseMetadata(body)
	if err != nil {
		return metadata{}, fmt.Errorf("reading the metadata: %w", err)
	}
	return m, nil
}

func (p *Provider) parseMetadata(body []byte) (m metadata, err error) {
	var issuer string
	var ways, signed []string
	r := strictjson.NewReader(body)
	err = r.Object(func(name string) (err error) {
		switch name {
		case "issuer":
			issuer, err = r.String()
		case "authorization_endpoint":
			m.authorization, err = r.String()
		case "token_endpoint":
			m.token, err = r.String()
		case "userinfo_endpoint":
			m.userinfo, err = r.String()
		case "jwks_uri":
			m.jwks, err = r.String()
		case "token_endpoint_auth_methods_supported":
			ways, err = texts(r)
		case "id_token_signing_alg_values_supported":
			signed, err = texts(r)
		case "authorization_response_iss_parameter_supported":
			m.sendsIssuer, err = r.Bool()
		default:
			_, err = r.Raw()
		}
		return err
	})
	if err != nil {
		return metadata{}, errors.New("a member is not of its type")
	}
	if issuer != p.settings.Issuer {
		return metadata{}, errors.New("issuer is not that of the configuration, byte by byte")
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": m.authorization, "token_endpoint": m.token, "jwks_uri": m.jwks} {
		if !p.mayAsk(endpoint) {
			return metadata{}, fmt.Errorf("%s is missing or no https URL; http only on loopback, and only for an issuer there", name)
		}
	}
	if m.userinfo != "" && !p.mayAsk(m.userinfo) {
		return metadata{}, errors.New("userinfo_endpoint is no https URL; http only on loopback, and only for an issuer there")
	}
	// The default is client_secret_basic (Discovery section 3).
	switch {
	case ways == nil || slices.Contains(ways, "client_secret_basic"):
		m.authStyle = oauth2.AuthStyleInHeader
	case slices.Contains(ways, "client_secret_post"):
		m.authStyle = oauth2.AuthStyleInParams
	default:
		return metadata{}, errors.New("token_endpoint_auth_methods_supported has neither client_secret_basic nor client_secret_post")
	}
	m.algorithms = slices.Clone(algorithms)
	if signed != nil {
		m.algorithms = slices.DeleteFunc(m.algorithms, func(alg string) bool { return !slices.Contains(signed, alg) })
	}
	if len(m.algorithms) == 0 {
		return metadata{}, fmt.Errorf("id_token_signing_alg_values_supported has none of %s", strings.Join(algorithms, ", "))
	}
	return m, nil
}

// mayAsk reports whether a URL that the provider named may be asked, and browsers
// sent to: what it is asked for is secret.
func (p *Provider) mayAsk(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(text, "#") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(p.settings.Issuer, "http:") && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// read returns the JSON object at a URL of the provider.
func (p *Provider) read(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // It is in memory.
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", from, resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

// texts reads an array of strings.
func texts(r *strictjson.Reader) ([]string, error) {
	list := []string{}
	err := r.Array(func() error {
		text, err := r.String()
		list = append(list, text)
		return err
	})
	return list, err
}
