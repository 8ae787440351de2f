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
// unknown or empty one is an error.
func expandText(setting, text string) (string, error) {
	out, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	return out, nil
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
			return none, fmt.Errorf("the environment variable %s is not set or empty", name)
		}
	case isRef && closed && kind == "file":
		data, err := os.ReadFile(name)
		if err != nil {
			return none, err
		}
		if value = strings.TrimRight(string(data), "\r\n"); value == "" {
			return none, fmt.Errorf("the file %s is empty", name)
		}
	case strings.ContainsAny(ref, "{}"):
		return none, errors.New("neither {env.X} nor {file.X} nor sha256:<hex>, but with a brace in it")
	case !demo:
		return none, errors.New("a literal secret; expected {env.X}, {file.X} or sha256:<hex> (a literal is for demo only)")
	default:
		value = ref
	}
	return tokenexchange.NewSecret(value)
}
