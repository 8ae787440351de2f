package tokenexchange

import "github.com/scopegate/scopegate/tokenexchange/internal/mint"

const (
	invalidRequest = "invalid_request"
	invalidScope   = "invalid_scope"
	invalidGrant   = "invalid_grant"
	accessDenied   = "access_denied"
	unavailable    = "temporarily_unavailable"
)

// answers is the one table of what the endpoints of the issuer say for each reason.
// docs/errors.md has a section for each row; a test holds the two together.
var answers = map[Reason]answer{
	"content_type":             {invalidRequest, 400, "the Content-Type must be application/x-www-form-urlencoded or application/json"},
	"body_too_large":           {invalidRequest, 400, "the request body must be at most 64 KiB"},
	"body_malformed":           {invalidRequest, 400, "the request body does not follow its content type: expected name=value pairs, or one flat JSON object without duplicate names"},
	"query_parameters":         {invalidRequest, 400, "parameters belong in the request body, not in the query"},
	"parameter_repeated":       {invalidRequest, 400, "a parameter was sent more than once"},
	"parameter_misspelt":       {invalidRequest, 400, "a parameter name is almost, but not exactly, that of a parameter that decides over access; the right spelling is in brackets"},
	"parameter_misplaced":      {invalidRequest, 400, "this parameter has no meaning with this grant and is not ignored, since it decides over access"},
	"parameter_empty":          {invalidRequest, 400, "this parameter must not be empty: leave it out to ask for all that is granted"},
	"parameter_conflict":       {invalidRequest, 400, "two spellings of one parameter have different values"},
	"parameter_missing":        {invalidRequest, 400, "a mandatory parameter is missing"},
	"parameter_invalid":        {invalidRequest, 400, "a parameter has a value that is not allowed here"},
	"parameter_type":           {invalidRequest, 400, "a parameter of the JSON body has the wrong type"},
	"resource_scope_malformed": {invalidRequest, 400, "allowed_resource_scope must be JSON as in {\"servicesScopes\":[{\"serviceDefinitionId\":\"shop\",\"permissions\":[{\"permissionId\":\"orders.read\",\"resources\":[\"orders/1\"]}]}]}, without unknown names"},

	"grant_unknown":     {"unsupported_grant_type", 400, "this grant_type does not exist here"},
	"grant_ambiguous":   {invalidRequest, 400, "this client may use both audience_exchange and client_delegate: use one of those names as grant_type"},
	"grant_not_allowed": {"unauthorized_client", 400, "this client may not use this grant_type"},

	"client_authentication": {"invalid_client", 401, "the client is unknown or did not authenticate as it must"},
	"client_public":         {"invalid_client", 401, "a public client cannot do this: expected a client that authenticates with a secret or an assertion"},
	"client_ambiguous":      {invalidRequest, 400, "the client authenticated in two ways that differ"},

	"code_invalid":          {invalidGrant, 400, "the code is unknown here, or has expired, or was issued to another client"},
	"code_used":             {invalidGrant, 400, "the code was used already; a code works once"},
	"code_reused":           {invalidGrant, 400, "the code was used again, so all tokens that came of it were revoked; log in again"},
	"redirect_uri_mismatch": {invalidGrant, 400, "redirect_uri is not exactly that of the authorization request"},
	"code_verifier_wrong":   {invalidGrant, 400, "code_verifier is not the one that the code_challenge of the authorization request was made of (RFC 7636); expected 43 to 128 characters of [A-Za-z0-9-._~]"},
	"state_mismatch":        {invalidRequest, 400, "state is not that of the authorization request"},

	"refresh_token_invalid": {invalidGrant, 400, "the refresh token is unknown here, or its login has ended, or it was issued to another client"},
	"refresh_token_used":    {invalidGrant, 400, "the refresh token was replaced a moment ago; use the newer one"},
	"refresh_token_reused":  {invalidGrant, 400, "a refresh token that was replaced before was used again, so all tokens of this login were revoked; log in again"},
	"user_gone":             {invalidGrant, 400, "the user is disabled, gone, logged out, or no member of the organization any more; log in again"},
	"api_token_invalid":     {invalidGrant, 400, "the API token is unknown, expired or deleted"},

	"token_not_first":       {invalidRequest, 400, "this grant takes the token of a login as it was issued: neither exchanged, nor delegated, nor narrowed"},
	"actor_not_allowed":     {invalidRequest, 400, "the user of the actor token holds none of the roles that may impersonate"},
	"login_too_old":         {invalidRequest, 400, "the user of the actor token logged in too long ago; log in again"},
	"impersonation_refused": {invalidRequest, 400, "the account cannot be impersonated, or does not exist"},

	"credentials_wrong": {invalidGrant, 400, "username or password is wrong, or the account cannot be used"},
	"org_not_allowed":   {invalidRequest, 400, "orgId is not an organization that this request can be made for"},

	"client_unknown":             {"unauthorized_client", 400, "client_id is not the id of a client of this server"},
	"redirect_uri_unregistered":  {invalidRequest, 400, "redirect_uri is not exactly one of those that are registered for the client; only on http://127.0.0.1 and http://[::1] may the port differ"},
	"response_type_unsupported":  {"unsupported_response_type", 400, "response_type must be code"},
	"request_not_supported":      {"request_not_supported", 400, "parameters in a request object (request) are not read: send them as they are, or push them"},
	"request_uri_not_supported":  {"request_uri_not_supported", 400, "request_uri must be one that the pushed authorization request endpoint of this server gave"},
	"registration_not_supported": {"registration_not_supported", 400, "clients do not register themselves here (registration)"},
	"request_uri_invalid":        {"invalid_request_uri", 400, "request_uri is unknown here, or has expired, or was used, or was given to another client; go back to the application and begin again"},

	"access_denied":         {accessDenied, 400, "the user did not allow it"},
	"login_required":        {"login_required", 400, "the user must log in, which prompt=none does not let us ask for, or another one logged in than id_token_hint names"},
	"consent_required":      {"consent_required", 400, "the user must be asked for consent, which prompt=none does not let us do, or took it back meanwhile"},
	"organization_required": {"interaction_required", 400, "the user must choose an organization, which prompt=none does not let us ask for: send orgId"},
	"no_organization":       {accessDenied, 400, "the user is a member of no organization in which this client works"},
	"page_required":         {"interaction_required", 400, "a login is a page of its own: it cannot be inside of another page, an image, or loaded by a script"},
	"transaction_unknown":   {invalidRequest, 400, "this login is unknown, or over, or was begun in another browser; go back to the application and begin again"},
	"step_expired":          {invalidRequest, 400, "this page is not the newest one of the login; go on in the newest one"},
	"session_ended":         {invalidRequest, 400, "the login of this browser ended or changed meanwhile; go back to the application and begin again"},
	"offer_changed":         {invalidRequest, 400, "what can be granted has changed since the page was made; look at it again"},
	"provider_unknown":      {invalidRequest, 400, "there is no such other place to log in"},
	"provider_unavailable":  {unavailable, 503, "the other place to log in does not answer as it must; try again, or log in elsewhere"},
	"provider_denied":       {accessDenied, 400, "the other place did not log you in"},
	"provider_answer":       {accessDenied, 400, "what the browser brought back from the other place to log in is not good for this login, or was used already; log in again"},
	"provider_login_old":    {accessDenied, 400, "a new login was asked for, and the other place told of an old one; log in again"},
	"no_mapping":            {accessDenied, 400, "the account of the other place has no rights here"},
	"account_taken":         {accessDenied, 400, "the account belongs to a user of another place from before"},
	"form_malformed":        {invalidRequest, 400, "the form is not one that a page of this server sends"},
	"request_forged":        {invalidRequest, 400, "the form was not sent from a page of this server"},

	Reason(mint.TokenMalformed):   {invalidRequest, 400, "a token is not a well-formed token of this issuer"},
	Reason(mint.TokenExpired):     {invalidRequest, 400, "a token has expired"},
	Reason(mint.TokenNotYetValid): {invalidRequest, 400, "a token is not valid yet"},
	Reason(mint.TokenIssuer):      {invalidRequest, 400, "a token was issued by somebody else"},
	Reason(mint.TokenAudience):    {invalidRequest, 400, "a token is not meant for this caller"},
	Reason(mint.TokenType):        {invalidRequest, 400, "a token is of another type than its token_type parameter says, or of one that is not accepted here"},
	Reason(mint.TokenSignature):   {invalidRequest, 400, "the signature of a token does not hold"},
	Reason(mint.TokenBinding):     {invalidRequest, 400, "tokens that are bound to a key (cnf) are not accepted"},
	Reason(mint.TokenRevoked):     {invalidRequest, 400, "a token was revoked"},
	Reason(mint.ChainTooLong):     {invalidRequest, 400, "a token may pass through at most 4 clients"},
	"subject_kind":                {invalidRequest, 400, "this grant does not accept this kind of subject token"},
	"target_not_allowed":          {"invalid_target", 400, "this client may not ask for this audience"},
	"exchange_refused":            {"unauthorized_client", 400, "this exchange is not allowed: the client that the token was issued to has no line for it, or a client that the token passed through is gone, or the caller asks for an id token and has no openid on its scope line"},

	Reason(mint.ScopeExceeded):    {invalidScope, 400, "scope asks for more than was granted; permissions are asked for with allowed_resource_scope"},
	Reason(mint.ResourceExceeded): {invalidScope, 400, "allowed_resource_scope asks for more than is held; what is too much is in excess"},
	Reason(mint.ResourceTooLarge): {invalidScope, 400, "allowed_resource_scope, as it was asked for or as it would be granted, is larger than a token can hold: at most 64 services, 256 entries and 3 KiB in canonical form; ask for less"},
	Reason(mint.TokenTooLarge):    {invalidScope, 400, "the resulting token is larger than 6 KiB: ask for less"},

	"token_kind":                        {"unsupported_token_type", 400, "tokens of this kind are not revoked here: an API token ends when its entry is deleted from the users file, and an id token gives no access; revoke the access token or the refresh token"},
	"id_token_hint_invalid":             {invalidRequest, 400, "id_token_hint is not an id token that a login at this issuer gave to the client; one that has expired is good"},
	"post_logout_redirect_uri_mismatch": {invalidRequest, 400, "post_logout_redirect_uri is not exactly one of those that are registered for the client of the id token"},

	"too_many_attempts":      {unavailable, 429, "too many attempts failed, or too many are made at once; try again after the seconds in Retry-After"},
	"store_unavailable":      {unavailable, 503, "the server cannot reach its store; no code, refresh token or API token was used up: try again, with a new assertion if the client signs one"},
	"revocation_unpublished": {unavailable, 503, "what was to end is dead at this server, but its store could not be told: ask again until it can"},
	"revocations_stale":      {unavailable, 503, "the list of revoked tokens is being read; try again"},
	"not_ready":              {unavailable, 503, "the server is starting; try again"},
	"server_error":           {"server_error", 500, "the server failed; the log has the cause under this requestId"},
}
