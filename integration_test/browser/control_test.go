package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
)

// newControl lets the scripts do what only an operator can do, and tell which
// secrets they saw. It returns its URL.
func newControl(h *house) string {
	mux := http.NewServeMux()
	act := func(name string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			result, err := do(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(result)
		})
	}
	act("restart", func(*http.Request) (any, error) {
		h.stop()
		return nil, h.start()
	})
	act("stop", func(*http.Request) (any, error) {
		h.stop()
		return nil, nil
	})
	act("start", func(*http.Request) (any, error) { return nil, h.start() })
	act("provider-stop", func(*http.Request) (any, error) {
		h.provider.stop()
		return nil, nil
	})
	act("provider-start", func(*http.Request) (any, error) { return nil, h.provider.start() })
	act("secret", func(r *http.Request) (any, error) {
		var seen map[string]string // value -> what it is
		if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
			return nil, err
		}
		for value, what := range seen {
			h.secrets.add(what, value)
		}
		return nil, nil
	})
	act("records", func(*http.Request) (any, error) { return h.records(), nil })
	act("edit", func(r *http.Request) (any, error) { return nil, h.edit(r.Body) })
	act("redis-stop", func(*http.Request) (any, error) {
		h.redis.Stop()
		return nil, nil
	})
	act("redis-go", func(*http.Request) (any, error) {
		h.redis.Cont()
		h.redis.Do("PING") // It goes on when it answers.
		return nil, nil
	})
	act("remember", func(*http.Request) (any, error) { return h.remember() })
	act("forget", func(*http.Request) (any, error) { return h.forget() })
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	return server.URL
}

// edit replaces a text in what the users file says of one user. The server reads
// it by itself, a moment later.
func (h *house) edit(body io.Reader) error {
	var wish struct{ User, From, To string }
	if err := json.NewDecoder(body).Decode(&wish); err != nil {
		return err
	}
	path := filepath.Join(h.Dir, "users.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, user, _ := strings.Cut(string(text), fmt.Sprintf(`{"id":%q,`, wish.User))
	changed := strings.Replace(user, wish.From, wish.To, 1)
	if changed == user {
		return fmt.Errorf("the users file has no %q for %q", wish.From, wish.User)
	}
	return os.WriteFile(path, []byte(fmt.Sprintf(`%s{"id":%q,%s`, before, wish.User, changed)), 0o600)
}

// records are the audit records, in their order.
func (h *house) records() (list []map[string]any) {
	for line := range strings.SplitSeq(h.Log(), "\n") {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "decision" {
			list = append(list, record)
		}
	}
	return list
}

// remember notes which records are in redis, and forget deletes those that came
// since, as time does. It returns how many that were.
func (h *house) remember() (int, error) {
	if h.redis == nil {
		return 0, errors.New("only the house with redis can forget")
	}
	h.remembered = map[string]bool{}
	for key := range strings.FieldsSeq(h.redis.Text("KEYS *")) {
		h.remembered[key] = true
	}
	return len(h.remembered), nil
}

func (h *house) forget() (deleted int, err error) {
	if h.remembered == nil {
		return 0, errors.New("nothing was remembered")
	}
	for key := range strings.FieldsSeq(h.redis.Text("KEYS *")) {
		if !h.remembered[key] {
			h.redis.Text("DEL " + key)
			deleted++
		}
	}
	return deleted, nil
}
