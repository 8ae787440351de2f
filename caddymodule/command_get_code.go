package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// browserTimeout is how long somebody may take to log in.
const browserTimeout = 10 * time.Minute

// login gets a code with a browser, as an app on this machine does (RFC 8252), and
// adds it to the form. It opens no browser: it says which address to open.
func (t *tokenRequest) login(ctx context.Context, form url.Values, say io.Writer) error {
	if t.issuer == "" {
		return errors.New("--grant authorization_code needs --issuer: its metadata name the address to open")
	}
	d, err := discover(ctx, t.issuer)
	if err != nil {
		return err
	}
	if d.AuthorizationEndpoint == "" {
		return errors.New("the issuer has no authorization endpoint; expected a client with grant_types authorization_code")
	}
	back, listener, err := t.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {t.client}, "redirect_uri": {back}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	// What is asked for is asked of the person: the code is good for that.
	for _, name := range []string{"scope", "allowed_resource_scope", "orgId"} {
		if form.Has(name) {
			ask.Set(name, form.Get(name))
			form.Del(name)
		}
	}
	if _, err := fmt.Fprintf(say, "Open this address in a browser:\n\n  %s?%s\n\nThis waits %d minutes for the answer. Press Ctrl-C if the page says that something is wrong.\n", d.AuthorizationEndpoint, ask.Encode(), int(browserTimeout.Minutes())); err != nil {
		return fmt.Errorf("saying which address to open: %w", err)
	}
	code, err := awaitCode(ctx, listener, back, state, d.Issuer)
	if err != nil {
		return err
	}
	form.Set("code", code)
	form.Set("redirect_uri", back)
	form.Set("code_verifier", verifier)
	return nil
}

// listen opens a port of this machine that the browser will be sent to.
func (t *tokenRequest) listen() (back string, l net.Listener, err error) {
	u, err := url.Parse(t.redirect)
	if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", nil, errors.New("--redirect-uri: expected what the client has as redirect_uri, on http://127.0.0.1 or http://[::1], such as http://127.0.0.1/callback")
	}
	port := u.Port()
	if port == "" {
		port = "0"
	}
	if l, err = net.Listen("tcp", net.JoinHostPort(u.Hostname(), port)); err != nil {
		return "", nil, fmt.Errorf("listening for the browser: %w", err)
	}
	u.Host = l.Addr().String()
	return u.String(), l, nil
}

// awaitCode answers the browser until it brings the answer of this request. What
// does not belong to it changes nothing: anybody on this machine can call.
func awaitCode(ctx context.Context, l net.Listener, back, state, issuer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, browserTimeout)
	defer cancel()
	u, err := url.Parse(back)
	if err != nil {
		return "", err
	}
	type answer struct {
		code string
		err  error
	}
	got := make(chan answer, 1)
	server := &http.Server{ReadTimeout: askTimeout, WriteTimeout: askTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != u.Path && r.URL.Path != u.Path+"/" || r.Host != u.Host || q.Get("state") != state {
			http.NotFound(w, r)
			return
		}
		a := answer{code: q.Get("code")}
		switch {
		case q.Get("iss") != issuer:
			a.err = errors.New("the answer came from another issuer than the one that was asked (RFC 9207)")
		case a.code == "":
			a.err = errors.New(strings.TrimSuffix(printable(q.Get("error")+": "+q.Get("error_description")), ": "))
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		page := "You can close this window and go back to the terminal.\n"
		if a.err != nil {
			page = "No access was given: the terminal says why. You can close this window.\n"
		}
		_, _ = io.WriteString(w, page)
		select {
		case got <- a:
		default: // It has one.
		}
	})}
	go func() { _ = server.Serve(l) }() // It ends with the listener.
	defer func() {
		// The browser gets its page before the process ends.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
	}()
	select {
	case a := <-got:
		return a.code, a.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("no answer came from the browser within %v; expected somebody to log in and agree there", browserTimeout)
		}
		return "", fmt.Errorf("waiting for the browser: %w", ctx.Err())
	}
}
