package cluster

import (
	"fmt"
	"net/http"
	"sync"
)

// family is what a login gave, and what was made of it.
type family struct {
	user    string
	access  string
	derived string // from access, by batch
	id      string

	mu      sync.Mutex
	refresh string // the newest
	spent   string // the one two before it
}

// newFamily logs in at one server and derives a token at the other.
func newFamily(h *house, user string) (*family, error) {
	a, b := h.servers[0], h.servers[len(h.servers)-1]
	got := a.login(user)
	if got.Access == "" || got.Refresh == "" || got.ID == "" {
		return nil, fmt.Errorf("login: got %s, want an access, a refresh and an id token", got)
	}
	f := &family{user: user, access: got.Access, id: got.ID, refresh: got.Refresh}
	derived := b.exchange(f.access)
	if derived.Access == "" {
		return nil, fmt.Errorf("exchange: got %s, want a token", derived)
	}
	f.derived = derived.Access
	return f, nil
}

// use rotates the family at a server.
func (f *family) use(s *server) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := s.refresh(f.refresh)
	if got.Refresh != "" {
		f.refresh = got.Refresh
	}
	return got
}

// rotateTwice makes the first refresh token an old one: its successor was used.
func (f *family) rotateTwice(h *house) error {
	f.spent = f.refresh
	for i := range 2 {
		if got := f.use(h.servers[i%len(h.servers)]); got.Refresh == "" {
			return fmt.Errorf("refresh: got %s, want tokens", got)
		}
	}
	return nil
}

// tokens are the questions for its access token and the one derived from it.
func (f *family) tokens() []question {
	return []question{
		atGuard("its token", http.MethodGet, f.access), atGuard("a derived token", http.MethodGet, f.derived),
		asSubject(f.access), atIntrospection("its token", f.access), atIntrospection("a derived token", f.derived), atUserinfo(f.access),
	}
}

// all are the questions for everything that a family is.
func (f *family) all() []question {
	return append(f.tokens(), atRefresh(f), question{"introspect, its refresh token", func(s *server) (bool, answer, error) {
		return atIntrospection("", f.newest()).ask(s)
	}})
}

func (f *family) newest() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refresh
}

// loss is a way to lose something. revoke returns at the answer that says that
// it is gone.
type loss struct {
	name string
	// from prepares a family for it.
	from func(h *house, f *family) error
	// revoke makes it happen at a server. A users file is all servers'.
	revoke func(h *house, s *server, f *family) answer
	// told is whether this is the answer of who revoked it.
	told func(answer) bool
	// dead is what is gone then, and alive what is not.
	dead, alive func(f *family) []question
}

func status(want int) func(answer) bool { return func(a answer) bool { return a.status == want } }

func nothing(*family) []question { return nil }

func ready(*house, *family) error { return nil }

var losses = []loss{
	{
		"refresh token revoked", ready,
		func(_ *house, s *server, f *family) answer {
			return s.post("/oauth2/revoke", "web", "token", f.refresh, "token_type_hint", "refresh_token")
		},
		status(http.StatusOK), (*family).all, nothing,
	},
	{
		"refresh token reused", func(h *house, f *family) error { return f.rotateTwice(h) },
		func(_ *house, s *server, f *family) answer { return s.refresh(f.spent) },
		func(a answer) bool { return a.status == http.StatusBadRequest && a.Reason == "refresh_token_reused" },
		(*family).all, nothing,
	},
	{
		"access token revoked", ready,
		func(_ *house, s *server, f *family) answer { return s.post("/oauth2/revoke", "web", "token", f.access) },
		status(http.StatusOK), (*family).tokens, func(f *family) []question { return []question{atRefresh(f)} },
	},
	{
		"logged out", ready,
		func(_ *house, s *server, f *family) answer {
			return s.post("/oauth2/logout", "web", "id_token_hint", f.id, "client_id", "web")
		},
		func(a answer) bool { return a.status >= 200 && a.status < 400 }, (*family).all, nothing,
	},
	{
		"user disabled", ready,
		func(h *house, _ *server, f *family) answer {
			h.users.change(f.user, func(user map[string]any) { user["disabled"] = true })
			return answer{}
		},
		status(0), (*family).all, nothing,
	},
	{
		"permission taken away", ready,
		func(h *house, _ *server, f *family) answer {
			h.users.change(f.user, func(user map[string]any) { permit(user, mayRead) })
			return answer{}
		},
		status(0), func(f *family) []question { return []question{atGuard("what was taken", http.MethodPut, f.access)} }, nothing,
	},
}
