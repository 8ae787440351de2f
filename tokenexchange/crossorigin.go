package tokenexchange

import (
	"net/http"
	"net/url"
	"strings"
)

// crossOrigin says whose scripts may read the answers of an endpoint (Fetch,
// section 3.2). The zero value is nobody's but those of the issuer's own origin.
// Credentials that a browser sends by itself, such as cookies, are never let in.
type crossOrigin uint8

const (
	sameOrigin crossOrigin = iota
	anyOrigin              // of what everybody may read
	appOrigins             // of what public clients in browsers call
)

// appOriginsOf returns the https origins of the redirect URIs of public clients:
// where applications run that have nothing but the browser.
func (r *Realm) appOriginsOf() map[string]bool {
	origins := map[string]bool{}
	for _, c := range r.clients {
		if !c.public {
			continue
		}
		for _, uri := range c.redirectURIs {
			if u, err := url.Parse(uri); err == nil && u.Scheme == "https" {
				origins["https://"+strings.TrimSuffix(strings.ToLower(u.Host), ":443")] = true
			}
		}
	}
	return origins
}

// allowOrigin lets scripts read the answer, whatever it will be: an application
// that cannot read an error cannot tell it from a broken network.
func (r *Realm) allowOrigin(w http.ResponseWriter, req *http.Request, allowed crossOrigin) (reads bool) {
	h := w.Header()
	switch allowed {
	case anyOrigin:
		h.Set("Access-Control-Allow-Origin", "*")
	case appOrigins:
		h.Add("Vary", "Origin")
		origin := req.Header["Origin"]
		if len(origin) != 1 || r == nil || !r.appOrigins[origin[0]] {
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin[0])
	default:
		return false
	}
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, "+decisionHeader)
	return true
}

// answerPreflight says what scripts may send to an endpoint. It is the same for
// all who may read the answer, and needs no token: a browser sends none.
func answerPreflight(w http.ResponseWriter, methods []string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
