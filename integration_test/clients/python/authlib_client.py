import os

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from person import browse

issuer, secret = os.environ["ISSUER"], os.environ["CLIENT_SECRET"]
orders = os.environ["SHOP"] + "/orders/7"

# A client's own token, with the secret in the header and in the body.
session = OAuth2Session("nightly", secret)
token = session.fetch_token(issuer + "/oauth2/token", grant_type="client_credentials")

assert token["token_type"] == "Bearer" and not token.is_expired(), token["expires_in"]
answer = session.get(orders)
assert answer.status_code == 200, answer.status_code
session = OAuth2Session("nightly", secret, token_endpoint_auth_method="client_secret_post")
session.fetch_token(issuer + "/oauth2/token", grant_type="client_credentials")
try:
    OAuth2Session("nightly", "wrong").fetch_token(issuer + "/oauth2/token", grant_type="client_credentials")
    raise SystemExit("a wrong secret was taken")
except OAuthError as err:
    assert err.error == "invalid_client", err.error
print("client_credentials: secret in the header, in the body, and a wrong one")

# The code flow. What it stores, update_token gets after each refresh.
stored = []
session = OAuth2Session(
    "web", secret, redirect_uri="https://web.example.com/callback", scope="openid profile",
    code_challenge_method="S256", token_endpoint=issuer + "/oauth2/token",
    update_token=lambda token, refresh_token=None, access_token=None: stored.append(token),
)
verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
login, state = session.create_authorization_url(issuer + "/oauth2/authorize", code_verifier=verifier)
back = browse(login)
token = session.fetch_token(issuer + "/oauth2/token", authorization_response=back, state=state, code_verifier=verifier)
assert session.get(orders).status_code == 200
print("authorization_code: PKCE and state")

session.token["expires_at"] = 1
assert session.get(orders).status_code == 200
assert len(stored) == 1 and stored[0]["refresh_token"] != token["refresh_token"]
assert "id_token" in stored[0]
print("refresh_token: by itself, when the access token is over")

exchange = OAuth2Session("batch", secret).fetch_token(
    issuer + "/oauth2/token", grant_type="audience_exchange",
    subject_token=stored[0]["access_token"], subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    target_audience="https://shop.example.com",
)
assert exchange["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
print("audience_exchange")

assert session.introspect_token(issuer + "/oauth2/introspect", token=session.token["access_token"]).json()["active"] is True
answer = session.revoke_token(issuer + "/oauth2/revoke", token=session.token["refresh_token"])
assert answer.status_code == 200, answer.status_code
assert session.get(orders).status_code == 401
print("introspection and revocation")
