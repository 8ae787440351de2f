package oidcusers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// complete adds what the userinfo endpoint says (OpenID Connect Core section 5.3)
// to an id token that lacks a claim which is looked for: there are providers that
// tell most claims there alone. What the id token says counts.
func (p *Provider) complete(ctx context.Context, m metadata, t *idToken, accessToken string) error {
	said, err := members(t.payload)
	if err != nil {
		return wrong("the id token: %w", err)
	}
	if m.userinfo == "" || !p.lacks(said) {
		return nil
	}
	body, err := p.userinfo(ctx, m.userinfo, accessToken)
	if err != nil {
		return unavailable("userinfo endpoint: %w", err)
	}
	more, err := members(body)
	if err != nil {
		return unavailable("userinfo endpoint: %w", err)
	}
	// It may be somebody else's answer (section 5.3.2).
	var subject string
	if json.Unmarshal(more["sub"], &subject) != nil || subject != t.subject {
		return wrong("the userinfo endpoint tells of another sub than the id token")
	}
	// An address and whether it is verified belong together.
	if _, known := said["email"]; known {
		delete(more, "email_verified")
	} else if _, told := more["email"]; told {
		delete(said, "email_verified")
	}
	for name, value := range more {
		if _, known := said[name]; !known {
			said[name] = value
		}
	}
	t.payload, err = json.Marshal(said)
	return err
}

// lacks reports whether a claim that is looked for is missing. Where a name could
// also be that of a path, both are looked for.
func (p *Provider) lacks(said map[string]json.RawMessage) bool {
	for _, name := range p.settings.Claims {
		if _, known := said[name]; !known {
			return true
		}
	}
	return false
}

func (p *Provider) userinfo(ctx context.Context, from, accessToken string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, errors.New("no answer, or none that can be read")
	}
	defer func() { _ = resp.Body.Close() }() // It is in memory.
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || err != nil || kind != "application/json" {
		return nil, fmt.Errorf("status %d, or no application/json", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

// members reads an object into its members, strictly.
func members(data []byte) (map[string]json.RawMessage, error) {
	found := map[string]json.RawMessage{}
	r := strictjson.NewReader(data)
	err := r.Object(func(name string) error {
		value, err := r.Raw()
		found[name] = bytes.Clone(value)
		return err
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, errors.New("expected a JSON object without duplicate names")
	}
	return found, nil
}
