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
	return append(f.tokens(), atRefresh(f), question{name: "introspect, its refresh token", needsStore: true, ask: func(s *server) (verdict, answer) {
		return atIntrospection("", f.newest()).ask(s)
	}})
}

func (f *family) newest() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refresh
}

// loss is a way to lose something.
type loss struct {
	name string
	// prepare makes a family ready for it; nil if there is nothing to do.
	prepare func(h *house, f *family) error
	// revoke makes it happen at a server, and returns its answer. The users
	// file is all servers' and answers nothing.
	revoke func(h *house, s *server, f *family) answer
	// told is whether this answer says that it is gone.
	told func(answer) bool
	// dead is what is gone then; alive is what is not, nil if nothing.
	dead, alive func(f *family) []question
	// needsStore says that nobody can notice it while the store is away.
	needsStore bool
	// inFile says that the users file says so.
	inFile bool
}

func done(a answer) bool     { return a.status == http.StatusOK }
func unasked(a answer) bool  { return a.status == 0 }
func answered(a answer) bool { return a.status >= 200 && a.status < 400 }

var losses = []loss{
	{
		name: "refresh token revoked",
		revoke: func(_ *house, s *server, f *family) answer {
			return s.post("/oauth2/revoke", "web", "token", f.newest(), "token_type_hint", "refresh_token")
		},
		told: done, dead: (*family).all,
	},
	{
		name:    "refresh token reused",
		prepare: func(h *house, f *family) error { return f.rotateTwice(h) },
		revoke:  func(_ *house, s *server, f *family) answer { return s.refresh(f.spent) },
		told: func(a answer) bool {
			return a.status == http.StatusBadRequest && a.Reason == "refresh_token_reused"
		},
		dead: (*family).all, needsStore: true,
	},
	{
		name:   "access token revoked",
		revoke: func(_ *house, s *server, f *family) answer { return s.post("/oauth2/revoke", "web", "token", f.access) },
		told:   done, dead: (*family).tokens,
		alive: func(f *family) []question { return []question{atRefresh(f)} },
	},
	{
		name: "logged out",
		revoke: func(_ *house, s *server, f *family) answer {
			return s.post("/oauth2/logout", "web", "id_token_hint", f.id, "client_id", "web")
		},
		told: answered, dead: (*family).all,
	},
	{
		name: "user disabled",
		revoke: func(h *house, _ *server, f *family) answer {
			h.users.change(f.user, func(user map[string]any) { user["disabled"] = true })
			return answer{}
		},
		told: unasked, dead: (*family).all, inFile: true,
	},
	{
		name: "permission taken away",
		revoke: func(h *house, _ *server, f *family) answer {
			h.users.change(f.user, func(user map[string]any) { permit(user, mayRead) })
			return answer{}
		},
		told: unasked, inFile: true, dead: (*family).tokens,
		alive: func(f *family) []question { return []question{atRefresh(f), withWhatIsLeft(f)} },
	},
}

// withWhatIsLeft refreshes, and accepts a token that reads and does not write.
func withWhatIsLeft(f *family) question {
	return question{name: "the rights of a new token", needsStore: true, ask: func(s *server) (verdict, answer) {
		got := f.use(s)
		if got.Access == "" {
			return judge(got, false, false)
		}
		if v, at := atGuard("", http.MethodGet, got.Access).ask(s); v != accepted {
			return wrong, at
		}
		at := s.guard(http.MethodPut, got.Access)
		return judge(at, at.status == http.StatusForbidden && at.Guard == "permission_missing", false)
	}}
}

// lives are the questions for what goes on.
func (l loss) lives(f *family) []question {
	if l.alive == nil {
		return nil
	}
	return l.alive(f)
}

// newVictim is a family that will lose something in this way.
func (l loss) newVictim(h *house, user string) (*family, error) {
	f, err := newFamily(h, user)
	if err == nil && l.prepare != nil {
		err = l.prepare(h, f)
	}
	return f, err
}
