package mint_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

func (w *world) userToken(t tb, u mint.User, c *mint.Client, scope string) mint.UserToken {
	t.Helper()
	issued := must(w.Sign(must(must(w.First(u, c)).Limit(strings.Fields(scope)))))
	token, ok := must(w.admit(issued.Raw)).(mint.UserToken)
	if !ok {
		t.Fatal("the token is no user's")
	}
	return token
}

// Userinfo and the id token of one login say the same of the user.
func TestUserinfoSaysWhatTheIDTokenSays(t *testing.T) {
	w := newWorld()
	for _, scope := range []string{
		"openid", "openid profile", "openid email", "openid profile email group_ids group_names", "openid grpid://g2 grpn://Blue", "openid orders offline_access",
	} {
		token := w.userToken(t, person(), portal(), scope)
		told := map[string]any{}
		if err := json.Unmarshal(must(json.Marshal(must(portal().Tell(token, person())))), &told); err != nil {
			t.Fatal(err)
		}
		id := identified(t, w, person(), portal(), scope, mint.IDOptions{Nonce: "n"})
		for _, protocol := range []string{"iss", "aud", "azp", "exp", "iat", "jti", "nonce", "auth_time", "sid", "grant_id"} {
			delete(id, protocol)
		}
		id["context"] = told["context"] // Each login has its own.
		if !reflect.DeepEqual(told, id) || told["context"] == nil {
			t.Errorf("%s: got %v\nwant %v", scope, told, id)
		}
	}
}

func TestWhoseUserinfo(t *testing.T) {
	w := newWorld()
	token := w.userToken(t, person(), portal(), "openid profile")
	other, elsewhere, stranger := portal(), person(), person()
	other.ID, elsewhere.Org, stranger.Subject = "other", "beta", "example.com:eve"
	noOpenID := portal()
	noOpenID.Scopes = []string{"profile"}
	unlogged := person()
	unlogged.AuthTime = time.Time{}
	derived := must(w.admit(forged(regular(map[string]string{
		"scope": `"openid"`, "context_name": `"acme"`, "auth_time": "1777636800", "root_jti": `"R"`, "root_iat": "1777636800",
	})))).(mint.UserToken)
	for name, c := range map[string]struct {
		client *mint.Client
		token  mint.UserToken
		now    mint.User
		want   mint.Reason
	}{
		"its own":                    {portal(), token, person(), ""},
		"another client's":           {other, token, person(), mint.ExchangeRefused},
		"another user's":             {portal(), token, stranger, mint.ExchangeRefused},
		"for another organization":   {portal(), token, elsewhere, mint.ExchangeRefused},
		"a client without openid":    {noOpenID, token, person(), mint.ScopeExceeded},
		"a token without openid":     {portal(), w.userToken(t, person(), portal(), "profile"), person(), mint.ScopeExceeded},
		"no login":                   {portal(), w.userToken(t, unlogged, portal(), "openid"), unlogged, mint.SubjectKind},
		"exchanged":                  {portal(), derived, person(), mint.SubjectKind},
		"nothing that anybody wrote": {&mint.Client{}, token, person(), mint.ExchangeRefused},
	} {
		told, err := c.client.Tell(c.token, c.now)
		if got := reason(t, err); got != c.want || (told.Subject == "") != (c.want != "") {
			t.Errorf("%s: got %+v, %q, want %q", name, told, got, c.want)
		}
	}
}
