package browser

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
)

// newApps serves the applications, and the site of an attacker, each by its
// name, and returns their address.
func newApps(h *house) string {
	single := http.NewServeMux()
	single.Handle("GET /modules/", http.StripPrefix("/modules/", http.FileServer(http.Dir("npm/node_modules"))))
	single.Handle("GET /app.mjs", http.FileServer(http.Dir("app")))
	single.HandleFunc("GET /{$}", page)
	single.HandleFunc("GET /callback", page)
	web := newWebApp(h)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("hold"); err == nil { // A test wants the code for itself.
			return
		}
		if hosts, found := strings.CutPrefix(r.URL.Path, "/onward/"); found {
			onward(w, r, hosts)
			return
		}
		switch r.Host {
		case "app.example.net":
			single.ServeHTTP(w, r)
		case "web.example.org":
			web.ServeHTTP(w, r)
		case "evil.example.edu", "blog.example.com":
			evil(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	h.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// page is the single-page application, which finds out by itself where it is.
func page(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "app/index.html") }

// onward is a page of an application that shows nothing, and sends the browser on
// to each of these hosts in turn.
func onward(w http.ResponseWriter, r *http.Request, hosts string) {
	next, rest, more := strings.Cut(hosts, "/")
	if more {
		rest = "onward/" + rest
	}
	http.Redirect(w, r, "https://"+next+"/"+rest, http.StatusSeeOther)
}

// evil is a site that shows whatever page an attacker wrote, which stands in
// the query for want of a better place.
func evil(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><html lang=en><title>A harmless site</title><body>" + r.URL.Query().Get("html")))
}
