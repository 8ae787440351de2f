package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"

	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// consent is the program that makes codes.
func consent(t *testing.T, request map[string]any) []string {
	t.Helper()
	cmd := exec.Command("go", "run", "-buildvcs=false", "./integration_test/consent")
	cmd.Dir = repository(t)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(text(t, request)), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("consent: %v\n%s", err, &stderr)
	}
	var codes []string
	if err := json.Unmarshal(out, &codes); err != nil {
		t.Fatal(err)
	}
	return codes
}

// watchedStore is a store: what the Caddyfile says of it, where consent finds
// it, how it goes away and comes back, and what can be read of it when the
// server has stopped. It plants the canary where it looks.
type watchedStore struct {
	caddyfile  string
	consent    map[string]any
	away, back func()
	read       func()
}

func watchedBolt(w *watched) watchedStore {
	path := filepath.Join(w.t.TempDir(), "state.db")
	read := func() {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("values")).Put([]byte("canary "+w.canary), []byte("x"))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			w.t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		w.show("the file of bolt", string(data))
	}
	return watchedStore{caddyfile: "bolt {\n\t\t\tpath " + path + "\n\t\t}", consent: map[string]any{"Bolt": path}, read: read}
}

func watchedRedis(w *watched) watchedStore {
	password := w.hide("password of redis", randomText())
	w.secrets["password of redis"] = password
	server := redistest.Start(w.t, "requirepass "+password)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: password})
	w.t.Cleanup(func() { client.Close() })
	read := func() {
		if err := client.Set(w.t.Context(), "canary "+w.canary, "x", 0).Err(); err != nil {
			w.t.Fatal(err)
		}
		w.show("keys and values of redis", readRedis(w.t, client))
		dir, err := client.ConfigGet(w.t.Context(), "dir").Result()
		if err != nil {
			w.t.Fatal(err)
		}
		err = filepath.WalkDir(dir["dir"], func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() == "redis.conf" {
				return err
			}
			data, err := os.ReadFile(path)
			w.show("files of redis", entry.Name()+"\n"+string(data))
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return watchedStore{
		caddyfile: "redis {\n\t\t\taddress " + server.Addr() + "\n\t\t\tpassword {env.REDIS_PASSWORD}\n\t\t}",
		consent:   map[string]any{"Redis": server.Addr(), "Password": password},
		away:      server.Kill, back: server.Restart, read: read,
	}
}

// readRedis reads every key, whatever it holds.
func readRedis(t *testing.T, client *redis.Client) string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range keys {
		kind, err := client.Type(t.Context(), key).Result()
		var value any
		switch {
		case err != nil:
		case kind == "string":
			value, err = client.Get(t.Context(), key).Result()
		case kind == "stream":
			value, err = client.XRange(t.Context(), key, "-", "+").Result()
		default:
			err = fmt.Errorf("a %s, which this test cannot read", kind)
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		fmt.Fprintln(&all, key, value)
	}
	return all.String()
}
