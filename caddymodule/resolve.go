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

// resolveSecret reads a reference to a secret: {env.X}, {file.X} or
// sha256:<hex>. A literal is accepted only in a demo. Files are read here and
// not by the replacer, which answers "" for what it cannot read.
func resolveSecret(ref string, demo bool) (tokenexchange.Secret, error) {
	none := tokenexchange.Secret{}
	if strings.HasPrefix(ref, "sha256:") {
		return tokenexchange.ParseSecretHash(ref)
	}
	inner, isRef := strings.CutPrefix(ref, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	var value string
	switch kind, name, _ := strings.Cut(inner, "."); {
	case isRef && closed && kind == "env":
		if value = os.Getenv(name); value == "" {
			return none, unset(name)
		}
	case isRef && closed && kind == "file":
		data, err := tokenexchange.ReadFile(name)
		if err != nil {
			return none, err
		}
		if value = strings.TrimRight(string(data), "\r\n"); value == "" {
			return none, fmt.Errorf("the file %s is empty; expected a secret", name)
		}
	case strings.ContainsAny(ref, "{}"):
		return none, errors.New("a brace in it, and no reference; expected {env.X}, {file.X} or sha256:<hex>")
	case !demo:
		return none, errors.New("a literal secret; expected {env.X}, {file.X} or sha256:<hex> (a literal is for demo only)")
	default:
		value = ref
	}
	return tokenexchange.NewSecret(value)
}
