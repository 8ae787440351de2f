package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answer is what a server said. A request without an answer has the status 0.
type answer struct {
	status int
	text   string
	retry  bool // it has Retry-After

	Error   string `json:"error"`
	Reason  string `json:"cspErrorCode"`
	Guard   string `json:"reason"` // of a guard
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Active  *bool  `json:"active"`
	Subject string `json:"sub"`
}

// String shows no token.
func (a answer) String() string {
	if a.Access != "" {
		return fmt.Sprint(a.status, " tokens")
	}
	return fmt.Sprintf("%d %.300s", a.status, a.text)
}

// do makes a request, and makes it again after 503 if Redis or the server stood
// still meanwhile.
func (s *server) do(method, path, body string, header http.Header) (a answer) {
	for begun := time.Now(); ; {
		a = s.send(method, path, body, header)
		if a.status != http.StatusServiceUnavailable || !a.retry || !s.mayGiveUp(begun) || time.Since(begun) > patience {
			return a
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) send(method, path, body string, header http.Header) (a answer) {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return answer{text: err.Error()}
	}
	r.Header = header
	got, err := s.client.Do(r)
	if err != nil {
		return answer{text: err.Error()}
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{text: err.Error()}
	}
	_ = json.Unmarshal(data, &a) // Not every answer is JSON.
	a.status, a.text, a.retry = got.StatusCode, string(data), got.Header.Get("Retry-After") != ""
	return a
}

// post sends a form as a client.
func (s *server) post(path, client string, form ...string) answer {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	r.SetBasicAuth(client, clientSecret)
	return s.do(http.MethodPost, path, values.Encode(), r.Header)
}

func (s *server) token(client, grant string, form ...string) answer {
	return s.post("/oauth2/token", client, append([]string{"grant_type", grant}, form...)...)
}

func (s *server) login(user string) answer {
	return s.token("web", "password", "username", user, "password", password)
}

func (s *server) refresh(token string) answer {
	return s.token("web", "refresh_token", "refresh_token", token)
}

// exchange has the client batch derive a token for the same audience.
func (s *server) exchange(subject string) answer {
	return s.token("batch", "audience_exchange", "target_audience", shopAudience,
		"subject_token", subject, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
}

func (s *server) introspect(token string) answer {
	return s.post("/oauth2/introspect", "web", "token", token)
}

func (s *server) guard(method, token string) answer {
	return s.do(method, "/orders/7", "", http.Header{"Authorization": {"Bearer " + token}})
}

func (s *server) userinfo(token string) answer {
	return s.do(http.MethodGet, "/oauth2/userinfo", "", http.Header{"Authorization": {"Bearer " + token}})
}

// verdict is what an answer says of the token that was asked about.
type verdict string

const (
	accepted  verdict = "accepted"
	refused   verdict = "refused"
	postponed verdict = "postponed" // 503 with Retry-After: nobody knows now
	wrong     verdict = "wrong"     // any other answer, also a refusal for another reason
)

// question asks a server whether it takes what may have been revoked.
type question struct {
	name string
	ask  func(s *server) (verdict, answer)
	// needsStore says that nobody can answer it while the store is away.
	needsStore bool
}

// judge reads an answer: yes is what one that lives gets, no what one that was
// revoked gets.
func judge(got answer, yes, no bool) (verdict, answer) {
	switch {
	case yes && !no:
		return accepted, got
	case no && !yes:
		return refused, got
	case got.status == http.StatusServiceUnavailable && got.retry:
		return postponed, got
	}
	return wrong, got
}

func atGuard(name, method, token string) question {
	return question{name: "guard, " + name, ask: func(s *server) (verdict, answer) {
		got := s.guard(method, token)
		return judge(got, got.status == http.StatusOK, got.status == http.StatusUnauthorized && got.Guard == "token_revoked")
	}}
}

func asSubject(token string) question {
	return question{name: "subject", ask: func(s *server) (verdict, answer) {
		got := s.exchange(token)
		return judge(got, got.status == http.StatusOK && got.Access != "",
			got.status == http.StatusBadRequest && got.Error == "invalid_request" && got.Reason == "token_revoked")
	}}
}

func atIntrospection(name, token string) question {
	return question{name: "introspect, " + name, ask: func(s *server) (verdict, answer) {
		got := s.introspect(token)
		ok := got.status == http.StatusOK && got.Active != nil
		return judge(got, ok && *got.Active, ok && !*got.Active && strings.TrimSpace(got.text) == `{"active":false}`)
	}}
}

func atUserinfo(token string) question {
	return question{name: "userinfo", ask: func(s *server) (verdict, answer) {
		got := s.userinfo(token)
		return judge(got, got.status == http.StatusOK && got.Subject != "", got.status == http.StatusUnauthorized)
	}}
}

// atRefresh uses the newest refresh token of a family, and keeps its successor.
func atRefresh(f *family) question {
	return question{name: "refresh", needsStore: true, ask: func(s *server) (verdict, answer) {
		got := f.use(s)
		return judge(got, got.status == http.StatusOK && got.Refresh != "", got.status == http.StatusBadRequest && got.Error == "invalid_grant")
	}}
}
