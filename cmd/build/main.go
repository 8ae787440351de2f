// Command build makes the binary that is shipped: it reads xcaddy.json into
// xcaddy's Builder and lets xcaddy build Caddy with the plugins named there.
//
// It owns the strict reading of xcaddy.json and the environment of the go
// command below it; it does not choose versions, and it holds no defaults that
// xcaddy.json could not show. It is a module of its own, so that xcaddy stays
// out of the module graph of those who import Scopegate.
//
//	go -C cmd/build run . -version v0.1.0
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/xcaddy"
)

func main() {
	log.SetFlags(0)
	config := flag.String("config", "../../xcaddy.json", "the file to read, with the fields of xcaddy's Builder")
	output := flag.String("output", "../../caddy", "the binary to write")
	version := flag.String("version", "", "what `caddy version` prints first, as scopegate@VERSION (default: nothing)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := build(ctx, *config, *output, *version); err != nil {
		log.Fatalf("building %s: %v", *output, err)
	}
}

func build(ctx context.Context, config, output, version string) error {
	builder, err := readConfig(config)
	if err != nil {
		return err
	}
	if err := stamp(&builder, version); err != nil {
		return err
	}
	for name, value := range environment(builder, os.Getenv) {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return builder.Build(ctx, output)
}

// stamp puts the version into the binary. xcaddy leaves its own flags out as
// soon as it is given any, so they are all repeated here: stripped, without
// paths of the build machine, without the databases that only Caddy's own
// certificate authority could use.
func stamp(builder *xcaddy.Builder, version string) error {
	if version == "" {
		return nil
	}
	if !versionPattern.MatchString(version) {
		return fmt.Errorf("version %q: expected letters, digits, and .+_- only", version)
	}
	if builder.BuildFlags != "" {
		return fmt.Errorf("-version cannot be used together with build_flags in the configuration")
	}
	builder.BuildFlags = "-trimpath -tags nobadger,nomysql,nopgx" +
		" -ldflags '-w -s -X github.com/caddyserver/caddy/v2.CustomVersion=scopegate@" + version + "'"
	return nil
}
