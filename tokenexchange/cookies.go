package tokenexchange

import "net/http"

// The cookies of a browser. With __Host- no other host can set them, nor see
// them (RFC 6265bis section 4.1.3.2).
const (
	browserCookie = "__Host-scopegate-browser" // which browser it is that logs in
	sessionCookie = "__Host-scopegate-session" // who is logged in
)

// maxCookie is the size in bytes of the longest value that is looked at.
const maxCookie = 256

// cookieOf returns the value of a cookie, "" for none. A browser sends one of
// this name; where there are two, one is somebody else's.
func cookieOf(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 || len(found[0].Value) > maxCookie {
		return ""
	}
	return found[0].Value
}

// newCookie is one that ends with the browser, and that no script reads. It is
// not sent with what other sites' pages load or post, but with a link from them:
// that is how an application begins a login.
func newCookie(name, value string) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
