package pages

import (
	"slices"
	"strings"
	"time"
)

// Page is a view of this package, with what one page shows.
type Page interface {
	// name is that of the template, and the beginning of the keys of its texts.
	name() string
}

// Form is where the buttons of a page send to, always by POST, and the hidden
// fields that go with each of them.
type Form struct {
	Action string
	Fields []Field
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Login asks who somebody is. Its form sends username and password, and step,
// which is login or, where there is a client, deny.
type Login struct {
	Form      Form
	Client    string // the name that is shown; "" without a client
	Username  string // filled in: what was typed before, or the hint of the client
	Password  bool   // users can log in here, with a password
	Providers []Provider
	Problem   string // the Reason why the page is shown again, "" for none
	Wait      int    // seconds until another try, with too_many_attempts
}

// Provider is another place where users can log in.
type Provider struct {
	Name string
	URL  string // of this server; a path with a query
}

// Organizations asks for which organization somebody goes on. Its form sends
// organization and step, which is organization or deny.
type Organizations struct {
	Form   Form
	Client string
	User   string
	Orgs   []Org
}

// Org is an organization that a user can go on for.
type Org struct {
	ID     string
	Name   string // "" for the id
	Chosen bool
}

// Consent asks what a client may do. Its form sends step, which is consent or
// deny, and for each box that is ticked grant with a Resource.Value, or scope
// with a Scope.Value. What is required is shown, cannot be unticked and is not
// sent.
type Consent struct {
	Form        Form
	Client      string
	Destination string // the host, or the scheme of an app, that is told the answer
	User        string
	Org         string
	Services    []Service
	Scopes      []Scope
	Roles       []string      // of the user in Org, which the client is told unless anything is unticked
	AccessLife  time.Duration // how long a token works that was taken away from nobody
	RefreshLife time.Duration // how long the client can renew it, 0 for not at all
	Offline     bool          // the client can renew it also after the user logged out
	Again       bool          // nothing is answered without this page, though it is remembered
	Problem     string        // the Reason why the page is shown again, "" for none
}

// Optional reports whether anything can be unticked.
func (c Consent) Optional() bool {
	for _, s := range c.Services {
		for _, p := range s.Permissions {
			if slices.ContainsFunc(p.Resources, func(r Resource) bool { return !r.Required }) {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.Scopes, func(s Scope) bool { return !s.Required })
}

// Unshared is what the client does not learn, whatever is ticked. The account is
// shared always, and the page says so. If its name may be an e-mail address,
// nothing is promised of that.
func (c Consent) Unshared() []string {
	asks := func(beginnings ...string) bool {
		return slices.ContainsFunc(c.Scopes, func(s Scope) bool {
			return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(s.Value, b) })
		})
	}
	unshared := []string{"password"}
	if c.Optional() {
		unshared = append(unshared, "unticked")
	}
	if !asks("email") && !strings.Contains(c.User, "@") {
		unshared = append(unshared, "email")
	}
	if !asks("group", "grpn:", "grpid:") {
		unshared = append(unshared, "groups")
	}
	return unshared
}

// Service is what a client asks for, or has, at one service.
type Service struct {
	ID          string
	Name        string // "" for the text service.<id>, or the id
	Permissions []Permission
}

// Permission is what a client may do with resources.
type Permission struct {
	ID        string
	Resources []Resource
}

// Resource is a pattern that a permission is given on.
type Resource struct {
	Value    string // of the check box
	Pattern  string
	Required bool
	Chosen   bool
}

// Wild reports whether the pattern says more than its words: it covers several.
func (r Resource) Wild() bool { return strings.Contains(r.Pattern, "*") }

// Scope is a word of the OAuth scope.
type Scope struct {
	Value    string
	Required bool
	Chosen   bool
}

// Account shows a user's sessions and what the user lets clients do. Each button
// is a form of its own: it sends step, which is end-session or revoke with an id,
// or logout.
type Account struct {
	Form     Form
	User     string // the name to log in with
	Name     string // "" for none
	Sessions []Session
	Grants   []Grant
	Notice   string // what was just done: session_ended or grant_revoked
}

// Session is a login in one browser.
type Session struct {
	ID      string
	Since   time.Time
	Method  string // how it began: password, or the name of a provider
	Device  string // what the browser says that it is, "" for unknown
	Current bool   // it is that of the browser that asks
}

// Grant is what a user lets a client do.
type Grant struct {
	ID           string
	Client       string
	Org          string
	Since, Until time.Time
	Scopes       []Scope
	Services     []Service
	Offline      bool // it outlives the session
}

// Logout asks whether somebody wants to log out. Its form sends its fields alone.
type Logout struct {
	Form   Form
	Client string // "" without a client
}

// LoggedOut says that somebody is logged out, and that was all.
type LoggedOut struct {
	Client    string // "" without a client
	Elsewhere string // the other place where they logged in, and still may be; "" for none
}

// Failure says why it does not go on.
type Failure struct {
	Reason     string
	Text       string // for developers: what the endpoint would say, in English
	DecisionID string // to find it in the log
	RetryURL   string // where to begin again, "" for nowhere
	Wait       int    // seconds until another try, 0 for unknown
}

func (Login) name() string         { return "login" }
func (Organizations) name() string { return "organizations" }
func (Consent) name() string       { return "consent" }
func (Account) name() string       { return "account" }
func (Logout) name() string        { return "logout" }
func (LoggedOut) name() string     { return "logged-out" }
func (Failure) name() string       { return "failure" }
