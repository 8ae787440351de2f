package tokenexchange

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"
)

// publicKeys are the two forms of the CSP name for the public keys.
type publicKeys struct{ pem, jwks []byte }

// publicKeyBody is what CSP clients read. Those that read value know one key and
// no kid, so it is an RSA key if there is one: nothing else can their RSA decoders
// take. Those that read keys find a JWK set, which may have other members (RFC
// 7517 section 5).
type publicKeyBody struct {
	Algorithm string            `json:"alg,omitempty"`
	Issuer    string            `json:"issuer"`
	Value     string            `json:"value,omitempty"`
	Keys      []jose.JSONWebKey `json:"keys"`
}

func publicKeysOf(issuer string, keys []SigningKey) (forms publicKeys, err error) {
	body := publicKeyBody{Issuer: issuer, Keys: keySet(keys).Keys}
	if forms.jwks, err = json.Marshal(body); err != nil {
		return forms, err
	}
	shown := body.Keys[0]
	for _, k := range body.Keys {
		if _, ok := k.Key.(*rsa.PublicKey); ok {
			shown = k
			break
		}
	}
	der, err := x509.MarshalPKIXPublicKey(shown.Key)
	if err != nil {
		return forms, err
	}
	body.Algorithm = shown.Algorithm
	// One line: some readers cut the first and the last one off, and decode the
	// rest with a decoder that takes no line ends.
	body.Value = "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END PUBLIC KEY-----"
	forms.pem, err = json.Marshal(body)
	return forms, err
}

// servePublicKey answers with the form that the query asks for. A request that is
// wrong is recorded; one that is right asks for nothing worth a record.
func (s *Server) servePublicKey(w http.ResponseWriter, r *http.Request) {
	format, err := formatOf(r.URL.RawQuery)
	switch {
	case err != nil:
		e := asRefused(err)
		rec := &Record{DecisionID: s.ids.next(), Endpoint: "public-key", Reason: string(e.Reason), Cause: e.why(), Peer: r.RemoteAddr}
		rec.write(r.Context(), s.log)
		writeError(w, r, e, rec.DecisionID)
	case format == "jwks":
		servePublic(w, s.publicKeys.jwks)
	default:
		servePublic(w, s.publicKeys.pem)
	}
}

// formatOf reads the one parameter of the query, whose default is pem. All other
// names are ignored.
func formatOf(query string) (string, error) {
	values, err := url.ParseQuery(query)
	switch format, asked := values["format"]; {
	case err != nil:
		return "", refused("parameter_invalid", "format")
	case !asked:
		return "pem", nil
	case len(format) > 1:
		return "", refused("parameter_repeated", "format")
	case format[0] != "pem" && format[0] != "jwks":
		return "", refused("parameter_invalid", "format")
	default:
		return format[0], nil
	}
}
