package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/xcaddy"
)

var (
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9.+_-]+$`)
	releasePattern = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
)

// readConfig reads the file strictly, checks what the go command would only
// complain about minutes later, and makes every relative path absolute against
// the file's own folder, because xcaddy works in a temporary one.
func readConfig(path string) (xcaddy.Builder, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return xcaddy.Builder{}, fmt.Errorf("reading configuration: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return xcaddy.Builder{}, fmt.Errorf("reading configuration: %w", err)
	}
	builder, err := parseConfig(data, dir)
	if err != nil {
		return xcaddy.Builder{}, fmt.Errorf("%s: %w", path, err)
	}
	return builder, nil
}

func parseConfig(data []byte, dir string) (xcaddy.Builder, error) {
	var builder xcaddy.Builder
	if err := checkShape(data, builder); err != nil {
		return xcaddy.Builder{}, err
	}
	if err := json.Unmarshal(data, &builder); err != nil {
		return xcaddy.Builder{}, err
	}
	if err := resolve(&builder, dir); err != nil {
		return xcaddy.Builder{}, err
	}
	if err := checkPins(builder); err != nil {
		return xcaddy.Builder{}, err
	}
	return builder, nil
}

// resolve makes the paths absolute and looks whether they lead anywhere.
func resolve(builder *xcaddy.Builder, dir string) error {
	seen := map[string]bool{}
	for i := range builder.Replacements {
		replacement := &builder.Replacements[i]
		at := fmt.Sprintf("replacements[%d]", i)
		old := modulePath(string(replacement.Old))
		if old == "" || replacement.New == "" {
			return fmt.Errorf("%s: expected old (a module path) and new (a path or module@version)", at)
		}
		if seen[old] {
			return fmt.Errorf("%s.old: %s is replaced twice", at, old)
		}
		seen[old] = true
		target := string(replacement.New)
		if !isPath(target) {
			if modulePath(target) == target {
				return fmt.Errorf("%s.new: %q: expected a path that begins with ./, ../ or /, or module@version", at, target)
			}
			continue
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		if _, err := os.Stat(filepath.Join(target, "go.mod")); err != nil {
			return fmt.Errorf("%s.new: expected a folder with a go.mod: %w", at, err)
		}
		replacement.New = xcaddy.ReplacementPath(target)
	}
	for i := range builder.EmbedDirs {
		embed := &builder.EmbedDirs[i]
		if embed.Dir == "" {
			return fmt.Errorf("embed_dir[%d].dir: expected a folder", i)
		}
		if !filepath.IsAbs(embed.Dir) {
			embed.Dir = filepath.Join(dir, embed.Dir)
		}
	}
	return nil
}

// checkPins refuses a build that could come out different tomorrow.
func checkPins(builder xcaddy.Builder) error {
	if !releasePattern.MatchString(builder.CaddyVersion) {
		return fmt.Errorf("caddy_version: %q: expected one fixed version such as v2.11.9", builder.CaddyVersion)
	}
	local := localModules(builder)
	seen := map[string]bool{}
	for i, plugin := range builder.Plugins {
		at := fmt.Sprintf("plugins[%d]", i)
		switch {
		case plugin.PackagePath == "":
			return fmt.Errorf("%s.module_path: expected an import path", at)
		case seen[plugin.PackagePath]:
			return fmt.Errorf("%s.module_path: %s is named twice", at, plugin.PackagePath)
		case plugin.Version == "" && !within(plugin.PackagePath, local):
			return fmt.Errorf("%s.version: expected a version, because %s has no local replacement", at, plugin.PackagePath)
		}
		seen[plugin.PackagePath] = true
	}
	return nil
}

// environment returns what the go command needs besides the environment it
// inherits. A module that is replaced by a folder needs nothing from outside,
// but the go command would still ask the proxy and the repository which
// versions exist, and fail for a module that was never published.
func environment(builder xcaddy.Builder, getenv func(string) string) map[string]string {
	local := localModules(builder)
	env := map[string]string{"GOWORK": "off"}
	if len(local) == 0 {
		return env
	}
	for _, name := range []string{"GONOPROXY", "GONOSUMDB"} {
		// These two fall back to GOPRIVATE only while they are unset.
		inherited := getenv(name)
		if inherited == "" {
			inherited = getenv("GOPRIVATE")
		}
		env[name] = joinNonEmpty(append(local[:len(local):len(local)], inherited))
	}
	vcs := getenv("GOVCS")
	if vcs == "" {
		vcs = "public:git|hg,private:all" // The go command's own default.
	}
	env["GOVCS"] = strings.Join(local, ":off,") + ":off," + vcs
	return env
}

// localModules lists the modules that a folder replaces.
func localModules(builder xcaddy.Builder) []string {
	var modules []string
	for _, replacement := range builder.Replacements {
		if isPath(string(replacement.New)) {
			modules = append(modules, modulePath(string(replacement.Old)))
		}
	}
	return modules
}

func within(path string, modules []string) bool {
	for _, module := range modules {
		if path == module || strings.HasPrefix(path, module+"/") {
			return true
		}
	}
	return false
}

// modulePath cuts the version off: xcaddy writes "path version" or "path@version".
func modulePath(s string) string {
	if i := strings.IndexAny(s, " @"); i >= 0 {
		return s[:i]
	}
	return s
}

// isPath follows the go command: only a path that begins with a dot or a
// slash is a folder, everything else is a module.
func isPath(s string) bool {
	return filepath.IsAbs(s) || s == "." || s == ".." || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}

func joinNonEmpty(parts []string) string {
	var kept []string
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}
