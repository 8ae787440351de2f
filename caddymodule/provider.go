package caddymodule

import (
	"fmt"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/oidcusers"
)

// provider replaces what a users oidc block refers to, and reads its files.
func (f files) provider(p *tokenexchange.ProviderConfig, demo bool) error {
	for _, t := range []struct {
		word string
		into *string
	}{{"", &p.Issuer}, {"client_id", &p.ClientID}, {"ca_file", &p.CAFile}} {
		text, err := expandText(*t.into)
		if err != nil {
			return inWord(t.word, err)
		}
		*t.into = text
	}
	if p.ClientSecretRef != "" {
		secret, err := f.shown(p.ClientSecretRef, demo)
		if err != nil {
			return inWord("client_secret", err)
		}
		p.ClientSecret = tokenexchange.NewCredential(secret)
	}
	if p.CAFile == "" {
		return nil
	}
	var err error
	if p.CA, err = f.read(p.CAFile); err != nil {
		return inWord("ca_file", fmt.Errorf("reading the file: %w", err))
	}
	return nil
}

// inWord is InLine for a word that has one line; "" is the block itself.
func inWord(word string, err error) error {
	if word == "" {
		return err
	}
	return tokenexchange.InLine(word, 0, err)
}

// providers makes what speaks to each provider of users. It asks none of them
// anything: that is for the first login.
func providers(realm *tokenexchange.Realm) map[string]tokenexchange.LoginProvider {
	all := map[string]tokenexchange.LoginProvider{}
	for domain, settings := range realm.Providers() {
		all[domain] = oidcusers.New(settings, nil)
	}
	return all
}
