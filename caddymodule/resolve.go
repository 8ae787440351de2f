package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// expandText replaces {env.X} and other global placeholders in a setting. An
// unknown or empty one is an error; Caddy itself would go on with "".
func expandText(text string) (string, error) {
	return caddy.NewReplacer().ReplaceFunc(text, func(name string, value any) (any, error) {
		variable, isEnv := strings.CutPrefix(name, "env.")
		switch {
		case value == nil:
			return nil, fmt.Errorf("unrecognized placeholder {%s}; expected one such as {env.NAME}", name)
		case caddy.ToString(value) != "":
			return value, nil
		case isEnv:
			return nil, unset(variable)
		}
		return nil, fmt.Errorf("{%s} is empty or cannot be read; expected a value", name)
	})
}

func unset(variable string) error {
	return fmt.Errorf("{env.%s}: the environment variable %s is not set or empty; expected a value", variable, variable)
}

// secret reads a client's secret: sha256:<hex>, or a reference {env.X} or
// {file.X} to a secret or to such a hash. A literal is accepted only in a demo.
func (f files) secret(ref string, demo bool) (tokenexchange.Secret, error) {
	if looksHashed(ref) {
		return tokenexchange.ParseSecretHash(ref)
	}
	value, err := readSecret(f.read, ref, demo, "{env.X}, {file.X} or sha256:<hex>")
	if err != nil {
		return tokenexchange.Secret{}, err
	}
	if !looksHashed(value) {
		return tokenexchange.NewSecret(value)
	}
	hash, err := tokenexchange.ParseSecretHash(value)
	if err != nil {
		return tokenexchange.Secret{}, fmt.Errorf("%s begins as a hash: %w", ref, err)
	}
	return hash, nil
}

// looksHashed reports whether a text is a hash, or was meant to be one. A hash is
// no secret, so it must never become one by standing where a secret may stand.
func looksHashed(text string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "sha256:")
}

// resolvePassword reads a reference to a password that is shown to a server:
// {env.X} or {file.X}, or in a demo a literal.
func resolvePassword(ref string, demo bool) (string, error) {
	return readShown(tokenexchange.ReadFile, ref, demo)
}

// shown is resolvePassword for one whose file is watched.
func (f files) shown(ref string, demo bool) (string, error) { return readShown(f.read, ref, demo) }

func readShown(readFile func(path string) ([]byte, error), ref string, demo bool) (string, error) {
	if looksHashed(ref) {
		return "", errors.New("a hash, which no server takes for the password; expected {env.X} or {file.X}")
	}
	return readSecret(readFile, ref, demo, "{env.X} or {file.X}")
}

// readSecret reads files itself: the replacer answers "" for what it cannot read.
func readSecret(readFile func(path string) ([]byte, error), ref string, demo bool, expected string) (value string, err error) {
	inner, isRef := strings.CutPrefix(ref, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	switch kind, name, _ := strings.Cut(inner, "."); {
	case isRef && closed && kind == "env":
		if value = strings.TrimRight(os.Getenv(name), "\r\n"); value == "" {
			return "", unset(name)
		}
	case isRef && closed && kind == "file":
		data, err := readFile(name)
		if err != nil {
			return "", err
		}
		if value = strings.TrimRight(string(data), "\r\n"); value == "" {
			return "", fmt.Errorf("the file %s is empty; expected a secret", name)
		}
	case strings.ContainsAny(ref, "{}"):
		return "", fmt.Errorf("a brace in it, and no reference; expected %s", expected)
	case !demo:
		return "", fmt.Errorf("a literal secret; expected %s (a literal is for demo only)", expected)
	default:
		value = ref
	}
	// Two secrets in one file would be one that nobody presents.
	if strings.ContainsAny(value, "\r\n") {
		return "", fmt.Errorf("%s holds more than one line; expected one secret", named(ref))
	}
	return value, nil
}

// named is a reference; what is none may be the secret itself.
func named(ref string) string {
	if strings.HasPrefix(ref, "{") {
		return ref
	}
	return "the secret"
}
