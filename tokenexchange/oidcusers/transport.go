package oidcusers

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// maxBody is the size of the largest answer that is read.
const maxBody = 512 << 10

// newClient makes the one HTTP client that speaks to a provider. It follows no
// redirect: an answer from elsewhere is not the provider's. It keeps no connection:
// logins are rare, and nobody would close it.
func newClient(settings tokenexchange.ProviderSettings) *http.Client {
	return &http.Client{
		Timeout: requestTimeout,
		Transport: strictTransport{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: settings.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// strictTransport reads answers whole, within bounds, and lets a good one through
// only as JSON that can mean one thing: the libraries behind it match names without
// case, and take the last of two.
type strictTransport struct{ base http.RoundTripper }

// answerError is why an answer is not taken. It quotes nothing of it.
type answerError struct{ text string }

func (e *answerError) Error() string { return e.text }

func (t strictTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	err = errors.Join(err, resp.Body.Close())
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case len(body) > maxBody:
		return nil, &answerError{"the answer is larger than 512 KiB"}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, &answerError{fmt.Sprintf("status %d: a redirect, which is not followed", resp.StatusCode)}
	case resp.StatusCode < 300:
		if err := oneObject(body); err != nil {
			return nil, &answerError{"the answer is not one JSON object without duplicate names"}
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// oneObject checks that a body is one JSON object, strictly, at every depth.
func oneObject(body []byte) error {
	r := strictjson.NewReader(body)
	err := r.Object(func(string) error { _, err := r.Raw(); return err })
	if err != nil {
		return err
	}
	return r.End()
}
