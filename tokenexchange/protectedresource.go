package tokenexchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// ResourcePath is where the metadata of protected resources begins (RFC 9728
// section 3). A guard answers it, and all paths below it, by itself.
const ResourcePath = "/.well-known/oauth-protected-resource"

// OwnsResourcePath reports whether a path is for metadata of a protected
// resource, of whichever. No upstream sees it, and no rule can name it.
func OwnsResourcePath(path string) bool {
	rest, found := strings.CutPrefix(path, ResourcePath)
	return found && (rest == "" || rest[0] == '/')
}

// ProtectedResource is what the API of one service says of itself to clients
// that know nothing but its URL. It is immutable.
type ProtectedResource struct {
	path string
	body []byte
}

// resourceMetadata is RFC 9728 section 2.
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Name          string   `json:"resource_name"`
}

// ProtectedResource returns the metadata of a service. A guard that hides what
// exists does not list the permissions: anyone can read this page.
func (r *Realm) ProtectedResource(serviceID string, hideExistence bool) (*ProtectedResource, error) {
	s := r.services[serviceID]
	if s == nil {
		return nil, errNoService
	}
	m := resourceMetadata{
		Resource: s.Audience, Servers: []string{r.issuer}, BearerMethods: []string{"header"}, Name: s.ID,
	}
	if !hideExistence {
		for _, p := range s.permissions {
			m.Scopes = append(m.Scopes, s.ID+"/"+p)
		}
	}
	body, err := json.Marshal(m)
	return &ProtectedResource{path: resourcePathOf(s.Audience), body: body}, err
}

// Path is where the metadata is.
func (p *ProtectedResource) Path() string { return p.path }

// ServeHTTP answers a request to a path that OwnsResourcePath names. The page of
// another resource is not found: RFC 9728 section 3.3 has clients refuse one that
// speaks of another resource than its URL.
func (p *ProtectedResource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint{methods: read, origins: anyOrigin}.begin(nil, w, r, func() {
		if r.URL.Path != p.path {
			http.NotFound(w, r)
			return
		}
		servePublic(w, p.body)
	})
}

// resourcePathOf is the path of the metadata of an audience: that of the audience
// comes after the well-known one (RFC 9728 section 3.1). An audience that is no
// URL of the web has no path.
func resourcePathOf(audience string) string {
	if u := webURL(audience); u != nil && u.Path != "/" {
		return ResourcePath + u.Path
	}
	return ResourcePath
}

// resourceMetadataURL is where the metadata of an audience is, as a challenge
// says it, "" where the audience is no URL of the web. What a request says of its
// host has no part in it: a client would ask whom the attacker names for tokens.
func resourceMetadataURL(audience string) string {
	u := webURL(audience)
	if u == nil {
		return ""
	}
	at := url.URL{Scheme: u.Scheme, Host: u.Host, Path: resourcePathOf(audience), RawPath: "", RawQuery: u.RawQuery}
	if u.RawPath != "" {
		at.RawPath = ResourcePath + u.RawPath
	}
	return at.String()
}

// webURL returns an http or https URL that can stand in a header between quotes,
// nil for any other audience.
func webURL(audience string) *url.URL {
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(audience, "\"\\") {
		return nil
	}
	return u
}
