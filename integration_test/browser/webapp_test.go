package browser

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// webApp is an application on a server, with golang.org/x/oauth2: tokens stay
// there, and the browser has the cookie of a session and nothing else.
type webApp struct {
	house    *house
	config   oauth2.Config
	mu       sync.Mutex
	sessions map[string]*webSession
}

// webSession is what the application keeps of one browser.
type webSession struct {
	state, verifier string
	token           *oauth2.Token
}

func newWebApp(h *house) http.Handler {
	app := &webApp{house: h, sessions: map[string]*webSession{}, config: oauth2.Config{
		ClientID:     "web",
		ClientSecret: clientSecret,
		RedirectURL:  "https://web.example.org/callback",
		Scopes:       []string{"openid", "profile"},
		Endpoint: oauth2.Endpoint{
			AuthURL:  issuer + "/oauth2/authorize",
			TokenURL: issuer + "/oauth2/token",
		},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { app.show(w, r, nil) })
	mux.HandleFunc("GET /login", app.login)
	mux.HandleFunc("GET /callback", app.callback)
	mux.HandleFunc("GET /call", app.call)
	mux.HandleFunc("GET /refresh", app.refresh)
	mux.HandleFunc("GET /exchange", app.exchange)
	mux.HandleFunc("GET /logout", app.logout)
	return mux
}

// session finds the session of a browser, or begins one.
func (app *webApp) session(w http.ResponseWriter, r *http.Request) *webSession {
	app.mu.Lock()
	defer app.mu.Unlock()
	if cookie, err := r.Cookie("__Host-web"); err == nil && app.sessions[cookie.Value] != nil {
		return app.sessions[cookie.Value]
	}
	id, s := rand.Text(), &webSession{}
	app.sessions[id] = s
	http.SetCookie(w, &http.Cookie{Name: "__Host-web", Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// login sends the browser to the server, with what the query has besides.
func (app *webApp) login(w http.ResponseWriter, r *http.Request) {
	s := app.session(w, r)
	s.state, s.verifier = rand.Text(), oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(s.verifier)}
	for name, values := range r.URL.Query() {
		options = append(options, oauth2.SetAuthURLParam(name, values[0]))
	}
	http.Redirect(w, r, app.config.AuthCodeURL(s.state, options...), http.StatusSeeOther)
}

// callback redeems the code that the browser brings back.
func (app *webApp) callback(w http.ResponseWriter, r *http.Request) {
	s, back := app.session(w, r), r.URL.Query()
	app.house.secrets.add("a code", back.Get("code"))
	switch {
	case back.Get("state") != s.state || s.state == "":
		app.show(w, r, map[string]any{"problem": "state"})
	case back.Get("iss") != issuer:
		app.show(w, r, map[string]any{"problem": "iss"})
	case back.Get("error") != "":
		app.show(w, r, map[string]any{"problem": back.Get("error"), "description": back.Get("error_description")})
	default:
		token, err := app.config.Exchange(app.context(r), back.Get("code"), oauth2.VerifierOption(s.verifier))
		if err != nil {
			app.show(w, r, map[string]any{"problem": "token", "description": err.Error()})
			return
		}
		app.keep(s, token)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (app *webApp) context(r *http.Request) context.Context {
	return context.WithValue(r.Context(), oauth2.HTTPClient, app.house.client)
}

func (app *webApp) keep(s *webSession, token *oauth2.Token) {
	s.token = token
	app.house.secrets.add("an access token", token.AccessToken)
	app.house.secrets.add("a refresh token", token.RefreshToken)
	if id, ok := token.Extra("id_token").(string); ok {
		app.house.secrets.add("an id token", id)
	}
}

// call asks an API, as its client does.
func (app *webApp) call(w http.ResponseWriter, r *http.Request) {
	s := app.session(w, r)
	if s.token == nil {
		app.show(w, r, map[string]any{"problem": "not logged in"})
		return
	}
	answer, err := app.config.Client(app.context(r), s.token).Get(r.URL.Query().Get("url"))
	app.answered(w, r, answer, err)
}

// refresh gets another token before its time.
func (app *webApp) refresh(w http.ResponseWriter, r *http.Request) {
	s := app.session(w, r)
	old := *s.token
	old.Expiry = time.Now().Add(-time.Hour)
	token, err := app.config.TokenSource(app.context(r), &old).Token()
	if err != nil {
		app.show(w, r, map[string]any{"problem": "refresh", "description": err.Error()})
		return
	}
	app.keep(s, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// exchange is what another service does with the token: it gets one of its own
// by the grant of the query, and asks an API with that.
func (app *webApp) exchange(w http.ResponseWriter, r *http.Request) {
	s, query := app.session(w, r), r.URL.Query()
	form := url.Values{
		"grant_type": {query.Get("grant")}, "subject_token": {s.token.AccessToken},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, query.Get("target"): {query.Get("audience")},
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, issuer+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	ask.SetBasicAuth("batch", url.QueryEscape(clientSecret))
	answer, err := app.house.client.Do(ask)
	if err != nil || answer.StatusCode != http.StatusOK {
		app.answered(w, r, answer, err)
		return
	}
	defer answer.Body.Close()
	var token oauth2.Token
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	app.house.secrets.add("an exchanged token", token.AccessToken)
	client := oauth2.NewClient(app.context(r), oauth2.StaticTokenSource(&token))
	answer, err = client.Get(query.Get("url"))
	app.answered(w, r, answer, err)
}

// answered shows what an API said.
func (app *webApp) answered(w http.ResponseWriter, r *http.Request, answer *http.Response, err error) {
	if err != nil {
		app.show(w, r, map[string]any{"problem": "network", "description": err.Error()})
		return
	}
	defer answer.Body.Close()
	said := map[string]any{"status": answer.StatusCode}
	text, _ := io.ReadAll(answer.Body)
	var body map[string]any
	if json.Unmarshal(text, &body) == nil {
		for _, name := range []string{"reason", "error", "reached", "cspErrorCode"} {
			if body[name] != nil {
				said[name] = body[name]
			}
		}
	}
	app.show(w, r, said)
}

// logout ends the application's session, and the login at the server.
func (app *webApp) logout(w http.ResponseWriter, r *http.Request) {
	s := app.session(w, r)
	query := url.Values{"post_logout_redirect_uri": {"https://web.example.org/"}, "client_id": {"web"}}
	if s.token != nil {
		if id, ok := s.token.Extra("id_token").(string); ok {
			query.Set("id_token_hint", id)
		}
	}
	s.token = nil
	http.Redirect(w, r, issuer+"/oauth2/logout?"+query.Encode(), http.StatusSeeOther)
}

// show is the one page: who is logged in, and what the last act gave.
func (app *webApp) show(w http.ResponseWriter, r *http.Request, result map[string]any) {
	s, who := app.session(w, r), "nobody"
	if s.token != nil {
		who = "somebody"
	}
	text, _ := json.Marshal(result)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=en><title>Web</title><h1>Web</h1><p id=who>%s</p><pre id=result>%s</pre>", who, html.EscapeString(string(text)))
}
