package tokenexchange

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	native  = "http://127.0.0.1:51004/done" // where phone listens, which has registered no port
	askOne  = `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/1"]}]}]}`
	askSame = ` {"servicesScopes":[{"permissions":[{"resources":["orders/1","orders/1"],"permissionId":"orders.read"}],"serviceDefinitionId":"shop"}]}`
)

// asking is the authorization request of web that the tests vary.
func asking(kv ...string) parameters {
	p := parameters{}
	for kv := replaced([]string{
		"client_id", "web", "redirect_uri", callback, "response_type", "code", "scope", "openid orders", "state", "af0ifjsldkj",
		"nonce", "n-0S6_WzA2Mj", "code_challenge", pkceChallenge, "code_challenge_method", "S256",
	}, kv...); len(kv) > 0; kv = kv[2:] {
		p[kv[0]] = kv[1]
	}
	return p
}

// requesters is the configuration of all logins, with a client that may work in one
// organization only, and one that asks for nothing in its scope.
func requesters(c *Config) {
	logins(c)
	here := confidential("here", "authorization_code")
	here.RedirectURIs, here.Permit, here.AllowedOrgs = []string{callback + "?to=here"}, lines("shop/orders.read **"), []string{"acme"}
	c.Clients = append(c.Clients, here)
}

// What is read is what was sent, in the one form in which it is kept.
func TestAuthorizationRequest(t *testing.T) {
	h := newHouse(t, requesters)
	_, hint := h.hint()
	everything := []string{"openid", "profile", "email", "offline_access", "group_names", "orders"}
	age := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		kv   []string
		want func(*authorizationRequest)
	}{
		"as it is":               {nil, func(*authorizationRequest) {}},
		"the least":              {[]string{"scope", "", "state", "", "nonce", ""}, func(q *authorizationRequest) { q.Scope, q.State, q.Nonce = everything, "", "" }},
		"a mode":                 {[]string{"response_mode", "query"}, func(*authorizationRequest) {}},
		"two words in one":       {[]string{"scope", "openid_offline_access"}, func(q *authorizationRequest) { q.Scope = []string{"openid", "offline_access"} }},
		"a word twice":           {[]string{"scope", " orders  openid orders"}, func(q *authorizationRequest) { q.Scope = []string{"orders", "openid"} }},
		"rights":                 {[]string{"allowed_resource_scope", askSame}, func(q *authorizationRequest) { q.Ask = askOne }},
		"rights, the other name": {[]string{"servicesPermissionsScopesDto", askSame}, func(q *authorizationRequest) { q.Ask = askOne }},
		"rights, both names":     {[]string{"servicesPermissionsScopesDto", askSame, "allowed_resource_scope", askOne}, func(q *authorizationRequest) { q.Ask = askOne }},
		"orgId":                  {[]string{"orgId", "beta"}, func(q *authorizationRequest) { q.Org = "beta" }},
		"org_id":                 {[]string{"org_id", "beta", "orgId", "beta"}, func(q *authorizationRequest) { q.Org = "beta" }},
		"an org without a list":  {[]string{"orgId", "nowhere"}, func(q *authorizationRequest) { q.Org = "nowhere" }},
		"prompt none":            {[]string{"prompt", "none"}, func(q *authorizationRequest) { q.Prompt = []string{"none"} }},
		"prompt both":            {[]string{"prompt", "consent login consent"}, func(q *authorizationRequest) { q.Prompt = []string{"consent", "login"} }},
		"prompt select_account":  {[]string{"prompt", "select_account login"}, func(q *authorizationRequest) { q.Prompt = []string{"login"} }},
		"prompt with blanks":     {[]string{"prompt", " login "}, func(q *authorizationRequest) { q.Prompt = []string{"login"} }},
		"max_age":                {[]string{"max_age", "3600"}, func(q *authorizationRequest) { q.MaxAge = age(3600) }},
		"max_age 0":              {[]string{"max_age", "0"}, func(q *authorizationRequest) { q.MaxAge = age(0) }},
		"the largest max_age":    {[]string{"max_age", "2147483647"}, func(q *authorizationRequest) { q.MaxAge = age(2147483647) }},
		"an empty max_age":       {[]string{"max_age", ""}, func(*authorizationRequest) {}},
		"a hint":                 {[]string{"login_hint", "ada@example.com"}, func(q *authorizationRequest) { q.LoginHint = "ada@example.com" }},
		"an id token":            {[]string{"id_token_hint", hint}, func(q *authorizationRequest) { q.HintSubject = "example.com:ada" }},
		"languages":              {[]string{"ui_locales", "de-AT de en"}, func(q *authorizationRequest) { q.Locales = "de-AT de en" }},
		"no languages":           {[]string{"ui_locales", `"><script> ../../x d3 -de en_US 0`}, func(*authorizationRequest) {}},
		"too many languages":     {[]string{"ui_locales", "a1 aa ab ac ad ae af ag ah ai"}, func(q *authorizationRequest) { q.Locales = "aa ab ac ad ae af ag ah" }},
		"a long state":           {[]string{"state", strings.Repeat("s", maxState)}, func(q *authorizationRequest) { q.State = strings.Repeat("s", maxState) }},
		"any text as state":      {[]string{"state", `&=%00"<é>`}, func(q *authorizationRequest) { q.State = `&=%00"<é>` }},
		"what is ignored":        {[]string{"display", "popup", "acr_values", "1", "claims", `{"id_token":null}`, "claims_locales", "de", "utm_source", "x", "dpop_jkt", "x"}, func(*authorizationRequest) {}},
		"what is empty":          {[]string{"request", "", "request_uri", "", "registration", "", "audience", "", "response_mode", "", "prompt", ""}, func(*authorizationRequest) {}},
		"of the token endpoint":  {[]string{"client_secret", "x", "code", "x", "username", "x", "accessTokenValiditySeconds", "1"}, func(*authorizationRequest) {}},
		"an app, on any port":    {[]string{"client_id", "phone", "redirect_uri", native, "scope", ""}, func(q *authorizationRequest) { q.Client, q.RedirectURI, q.Scope = "phone", native, []string{"openid"} }},
		"a client without a scope": {[]string{"client_id", "here", "redirect_uri", callback + "?to=here", "scope", "", "orgId", "acme"}, func(q *authorizationRequest) {
			q.Client, q.RedirectURI, q.Scope, q.Org = "here", callback+"?to=here", nil, "acme"
		}},
		"without PKCE": {[]string{"client_id", "legacy", "code_challenge", "", "code_challenge_method", "", "scope", ""}, func(q *authorizationRequest) {
			q.Client, q.Challenge, q.Method, q.Scope = "legacy", "", "", nil
		}},
		"plain": {[]string{"client_id", "legacy", "code_challenge", verifier + ".~", "code_challenge_method", "plain", "scope", ""}, func(q *authorizationRequest) {
			q.Client, q.Challenge, q.Method, q.Scope = "legacy", verifier+".~", "plain", nil
		}},
		"SHA256": {[]string{"client_id", "legacy", "code_challenge_method", "SHA256", "scope", ""}, func(q *authorizationRequest) {
			q.Client, q.Method, q.Scope = "legacy", "SHA256", nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := authorizationRequest{
				Client: "web", RedirectURI: callback, State: "af0ifjsldkj", Nonce: "n-0S6_WzA2Mj", Challenge: pkceChallenge, Method: "S256", Scope: []string{"openid", "orders"},
			}
			c.want(&want)
			got, err := h.authorizationRequest(asking(c.kv...))
			if err != nil || show(got) != show(want) || !got.redirectable() {
				t.Errorf("got %s, %v, want %s", show(got), err, show(want))
			}
			var again authorizationRequest
			if err := json.Unmarshal([]byte(show(got)), &again); err != nil || show(again) != show(want) {
				t.Errorf("got %s back from a record, %v, want %s", show(again), err, show(want))
			}
		})
	}
}

// show writes a value as records keep it.
func show(v any) string { return string(must(json.Marshal(v))) }

// An id token that has expired still says who is expected.
func TestAuthorizationHintMayHaveExpired(t *testing.T) {
	h := newHouse(t, requesters)
	_, hint := h.hint()
	h.clock = h.clock.Add(30 * 24 * time.Hour)
	if q, err := h.authorizationRequest(asking("id_token_hint", hint)); err != nil || q.HintSubject != "example.com:ada" {
		t.Errorf("got %+v, %v", q, err)
	}
}

// Every refusal names its reason. It reaches the client by redirect if, and only
// if, the client and its redirect_uri are right; and then its state comes along.
func TestAuthorizationRequestIsRefused(t *testing.T) {
	h := newHouse(t, requesters)
	login, hint := h.hint()
	phones := forge("JWT", claimsOf(t, hint), map[string]any{"aud": "phone", "azp": "phone"})
	long := func(n int) string { return strings.Repeat("x", n) }
	const nobody = "" // The user is told.
	for name, c := range map[string]struct {
		kv     []string
		reason Reason
		param  string
		code   string // of the answer by redirect
	}{
		"no client":                      {[]string{"client_id", ""}, "parameter_missing", "client_id", nobody},
		"an unknown client":              {[]string{"client_id", "nobody"}, "client_unknown", "", nobody},
		"a client in another case":       {[]string{"client_id", "WEB"}, "client_unknown", "", nobody},
		"a client with a blank":          {[]string{"client_id", "web "}, "client_unknown", "", nobody},
		"a client without codes":         {[]string{"client_id", "batch"}, "grant_not_allowed", "", nobody},
		"no redirect_uri":                {[]string{"redirect_uri", ""}, "parameter_missing", "redirect_uri", nobody},
		"another redirect_uri":           {[]string{"redirect_uri", "https://evil.example/callback"}, "redirect_uri_unregistered", "", nobody},
		"another client's redirect_uri":  {[]string{"redirect_uri", native}, "redirect_uri_unregistered", "", nobody},
		"more of a redirect_uri":         {[]string{"redirect_uri", callback + "/"}, "redirect_uri_unregistered", "", nobody},
		"a wrong port":                   {[]string{"redirect_uri", "https://web.example.com:8443/callback"}, "redirect_uri_unregistered", "", nobody},
		"another name of loopback":       {[]string{"client_id", "phone", "redirect_uri", "http://localhost:51004/done"}, "redirect_uri_unregistered", "", nobody},
		"wrong, and everything else too": {[]string{"redirect_uri", callback + "/", "response_type", "token", "request", "x", "scope", "more", "allowedResourceScope", "x"}, "redirect_uri_unregistered", "", nobody},

		"no response_type":         {[]string{"response_type", ""}, "parameter_missing", "response_type", invalidRequest},
		"token":                    {[]string{"response_type", "token"}, "response_type_unsupported", "", "unsupported_response_type"},
		"an id token at once":      {[]string{"response_type", "code id_token"}, "response_type_unsupported", "", "unsupported_response_type"},
		"code in another case":     {[]string{"response_type", "Code"}, "response_type_unsupported", "", "unsupported_response_type"},
		"a fragment":               {[]string{"response_mode", "fragment"}, "parameter_invalid", "response_mode", invalidRequest},
		"a form":                   {[]string{"response_mode", "form_post"}, "parameter_invalid", "response_mode", invalidRequest},
		"a request object":         {[]string{"request", "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported", "", "request_not_supported"},
		"a request elsewhere":      {[]string{"request_uri", "https://web.example.com/request.jwt"}, "request_uri_not_supported", "", "request_uri_not_supported"},
		"a request on this host":   {[]string{"request_uri", "http://127.0.0.1:2019/config/"}, "request_uri_not_supported", "", "request_uri_not_supported"},
		"a registration":           {[]string{"registration", "{}"}, "registration_not_supported", "", "registration_not_supported"},
		"no challenge":             {[]string{"code_challenge", "", "code_challenge_method", ""}, "parameter_missing", "code_challenge", invalidRequest},
		"a method alone":           {[]string{"code_challenge", ""}, "parameter_missing", "code_challenge", invalidRequest},
		"a method alone, optional": {[]string{"client_id", "legacy", "code_challenge", "", "scope", ""}, "parameter_missing", "code_challenge", invalidRequest},
		"no method":                {[]string{"code_challenge_method", ""}, "parameter_missing", "code_challenge_method", invalidRequest},
		"no method, plain allowed": {[]string{"client_id", "legacy", "code_challenge_method", "", "scope", ""}, "parameter_missing", "code_challenge_method", invalidRequest},
		"plain":                    {[]string{"code_challenge", verifier, "code_challenge_method", "plain"}, "parameter_invalid", "code_challenge_method", invalidRequest},
		"SHA256":                   {[]string{"code_challenge_method", "SHA256"}, "parameter_invalid", "code_challenge_method", invalidRequest},
		"s256":                     {[]string{"code_challenge_method", "s256"}, "parameter_invalid", "code_challenge_method", invalidRequest},
		"a short challenge":        {[]string{"code_challenge", pkceChallenge[1:]}, "parameter_invalid", "code_challenge", invalidRequest},
		"a long challenge":         {[]string{"code_challenge", pkceChallenge + "A"}, "parameter_invalid", "code_challenge", invalidRequest},
		"a padded challenge":       {[]string{"code_challenge", pkceChallenge + "="}, "parameter_invalid", "code_challenge", invalidRequest},
		"not base64url":            {[]string{"code_challenge", pkceChallenge[1:] + "~"}, "parameter_invalid", "code_challenge", invalidRequest},
		"more than 32 bytes":       {[]string{"code_challenge", pkceChallenge[:42] + "9"}, "parameter_invalid", "code_challenge", invalidRequest},
		"a hash twice as long":     {[]string{"code_challenge", long(86)}, "parameter_invalid", "code_challenge", invalidRequest},
		"SHA256, too long":         {[]string{"client_id", "legacy", "code_challenge_method", "SHA256", "code_challenge", long(44), "scope", ""}, "parameter_invalid", "code_challenge", invalidRequest},
		"plain, too short":         {[]string{"client_id", "legacy", "code_challenge_method", "plain", "code_challenge", long(42), "scope", ""}, "parameter_invalid", "code_challenge", invalidRequest},
		"plain, too long":          {[]string{"client_id", "legacy", "code_challenge_method", "plain", "code_challenge", long(129), "scope", ""}, "parameter_invalid", "code_challenge", invalidRequest},
		"plain, with a plus":       {[]string{"client_id", "legacy", "code_challenge_method", "plain", "code_challenge", long(42) + "+", "scope", ""}, "parameter_invalid", "code_challenge", invalidRequest},
		"public without PKCE":      {[]string{"client_id", "phone", "redirect_uri", native, "scope", "", "code_challenge", "", "code_challenge_method", ""}, "parameter_missing", "code_challenge", invalidRequest},

		"more scope":                {[]string{"scope", "openid more"}, "scope_exceeded", "", invalidScope},
		"scope of a client of none": {[]string{"client_id", "legacy", "scope", "openid"}, "scope_exceeded", "", invalidScope},
		"half of two words":         {[]string{"client_id", "phone", "redirect_uri", native, "scope", "openid_offline_access"}, "scope_exceeded", "", invalidScope},
		"a scope of blanks":         {[]string{"scope", "  "}, "parameter_invalid", "scope", invalidRequest},
		"an endless scope":          {[]string{"scope", strings.Repeat("openid ", 1200)}, "parameter_invalid", "scope", invalidRequest},
		"rights that are no JSON":   {[]string{"allowed_resource_scope", "orders"}, "resource_scope_malformed", "allowed_resource_scope", invalidRequest},
		"no rights":                 {[]string{"allowed_resource_scope", ""}, "parameter_empty", "allowed_resource_scope", invalidRequest},
		"rights that differ":        {[]string{"allowed_resource_scope", askOne, "servicesPermissionsScopesDto", strings.Replace(askOne, "orders/1", "orders/2", 1)}, "parameter_conflict", "servicesPermissionsScopesDto", invalidRequest},
		"a misspelt name":           {[]string{"allowedResourceScope", askOne}, "parameter_misspelt", "allowed_resource_scope", invalidRequest},
		"a misspelt organization":   {[]string{"orgid", "beta"}, "parameter_misspelt", "", invalidRequest},
		"an audience":               {[]string{"audience", shopAud}, "parameter_misplaced", "audience", invalidRequest},
		"a resource":                {[]string{"resource", shopAud}, "parameter_misplaced", "resource", invalidRequest},
		"a target":                  {[]string{"target_audience", shopAud}, "parameter_misplaced", "target_audience", invalidRequest},
		"a subject":                 {[]string{"subject_token", "x"}, "parameter_misplaced", "subject_token", invalidRequest},
		"two organizations":         {[]string{"orgId", "acme", "org_id", "beta"}, "parameter_conflict", "org_id", invalidRequest},
		"not the client's place":    {[]string{"client_id", "here", "redirect_uri", callback + "?to=here", "scope", "", "orgId", "beta"}, "org_not_allowed", "", invalidRequest},
		"no organization":           {[]string{"orgId", "a/b"}, "org_not_allowed", "", invalidRequest},
		"an endless organization":   {[]string{"orgId", long(1025)}, "parameter_invalid", "orgId", invalidRequest},

		"an unknown prompt":        {[]string{"prompt", "create"}, "parameter_invalid", "prompt", invalidRequest},
		"a prompt in another case": {[]string{"prompt", "None"}, "parameter_invalid", "prompt", invalidRequest},
		"none and login":           {[]string{"prompt", "none login"}, "parameter_invalid", "prompt", invalidRequest},
		"none and select_account":  {[]string{"prompt", "select_account none"}, "parameter_invalid", "prompt", invalidRequest},
		"an endless prompt":        {[]string{"prompt", strings.Repeat("login ", 200)}, "parameter_invalid", "prompt", invalidRequest},
		"max_age below 0":          {[]string{"max_age", "-1"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age with a sign":      {[]string{"max_age", "+1"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age with a unit":      {[]string{"max_age", "1h"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age with a point":     {[]string{"max_age", "1.5"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age with a blank":     {[]string{"max_age", " 1"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age with a line":      {[]string{"max_age", "1_000"}, "parameter_invalid", "max_age", invalidRequest},
		"max_age beyond its range": {[]string{"max_age", "2147483648"}, "parameter_invalid", "max_age", invalidRequest},
		"an endless nonce":         {[]string{"nonce", long(1025)}, "parameter_invalid", "nonce", invalidRequest},
		"an endless login_hint":    {[]string{"login_hint", long(1025)}, "parameter_invalid", "login_hint", invalidRequest},
		"endless languages":        {[]string{"ui_locales", long(1025)}, "parameter_invalid", "ui_locales", invalidRequest},
		"an endless state":         {[]string{"state", long(maxState + 1)}, "parameter_invalid", "state", invalidRequest},
		"no id token":              {[]string{"id_token_hint", "x"}, "id_token_hint_invalid", "", invalidRequest},
		"an access token":          {[]string{"id_token_hint", login.body["access_token"].(string)}, "id_token_hint_invalid", "", invalidRequest},
		"another client's":         {[]string{"id_token_hint", phones}, "id_token_hint_invalid", "", invalidRequest},
		"another key's":            {[]string{"id_token_hint", resigned(hint)}, "id_token_hint_invalid", "", invalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			p := asking(c.kv...)
			q, err := h.authorizationRequest(p)
			if err == nil {
				t.Fatalf("taken as %+v", q)
			}
			e := asRefused(err)
			if _, listed := answers[e.Reason]; !listed || e.Reason != c.reason || c.param != "" && e.Param != c.param {
				t.Errorf("got %v, want %s (%s)", err, c.reason, c.param)
			}
			if q.redirectable() != (c.code != nobody) {
				t.Fatalf("told by redirect is %v", q.redirectable())
			}
			if !q.redirectable() {
				if show(q) != show(authorizationRequest{}) {
					t.Errorf("got %+v of a request that nobody can be told about", q)
				}
				return
			}
			state := p["state"]
			if len(state) > maxState {
				state = ""
			}
			if q.Client != p["client_id"] || q.RedirectURI != p["redirect_uri"] || q.State != state {
				t.Errorf("got %+v", q)
			}
			to := q.refusal(issuer, e)
			if got := answerAt(t, to, p["redirect_uri"]); got.Get("error") != c.code || got.Get("state") != state || got.Get("iss") != issuer || got.Has("state") != (state != "") {
				t.Errorf("sent to %s, want the error %s and the state %q", to, c.code, state)
			}
		})
	}
}

// answerAt returns the parameters that an answer adds to a redirect URI.
func answerAt(t testing.TB, to, redirectURI string) url.Values {
	t.Helper()
	between := "?"
	if strings.Contains(redirectURI, "?") {
		between = "&"
	}
	rest, ok := strings.CutPrefix(to, redirectURI+between)
	if !ok || strings.ContainsAny(rest, "?#/\\ \r\n\"<>") {
		t.Fatalf("sent to %q, want %s%s...", to, redirectURI, between)
	}
	values, err := url.ParseQuery(rest)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range values {
		if len(v) != 1 || v[0] == "" || !slices.Contains([]string{"code", "state", "iss", "error", "error_description", "error_uri"}, name) {
			t.Errorf("sent to %s with %s=%q", to, name, v)
		}
	}
	return values
}
