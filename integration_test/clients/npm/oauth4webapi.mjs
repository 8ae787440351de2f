import assert from 'node:assert/strict'
import { importPKCS8 } from 'jose'
import * as oauth from 'oauth4webapi'
import { browse, callback, claimsOf, issuer, reads, robotKey, secret } from './world.mjs'

const url = new URL(issuer)
const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url))
const asOAuth = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2' }))
assert.deepEqual(asOAuth, as)

const nightly = { client_id: 'nightly' }
const answer = await oauth.clientCredentialsGrantRequest(as, nightly, oauth.ClientSecretBasic(secret), {})
const own = await oauth.processClientCredentialsResponse(as, nightly, answer)

await reads(own.access_token)
await oauth.processClientCredentialsResponse(as, nightly, await oauth.clientCredentialsGrantRequest(as, nightly, oauth.ClientSecretPost(secret), {}))
console.log('client_credentials: secret in the header and in the body')

const robot = { client_id: 'robot' }
const key = await importPKCS8(robotKey, 'ES256')
const signed = await oauth.clientCredentialsGrantRequest(as, robot, oauth.PrivateKeyJwt(key), {})
await reads((await oauth.processClientCredentialsResponse(as, robot, signed)).access_token)
console.log('client_credentials: private_key_jwt')

// A public client on a telephone or a desk: no secret, any port of loopback.
const phone = { client_id: 'phone' }
const verifier = oauth.generateRandomCodeVerifier()
const nonce = oauth.generateRandomNonce()
const state = oauth.generateRandomState()
const redirect = 'http://127.0.0.1:49152/callback'
const login = new URL(`${issuer}/oauth2/authorize`)
login.search = new URLSearchParams({
	client_id: 'phone', response_type: 'code', redirect_uri: redirect, scope: 'openid profile',
	state, nonce, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
const params = oauth.validateAuthResponse(as, phone, await browse(login), state)
const redeemed = await oauth.authorizationCodeGrantRequest(as, phone, oauth.None(), params, redirect, verifier)
const tokens = await oauth.processAuthorizationCodeResponse(as, phone, redeemed, { expectedNonce: nonce, requireIdToken: true })
assert.equal(oauth.getValidatedIdTokenClaims(tokens).given_name, 'Alice')
await reads(tokens.access_token)
console.log('authorization_code: a public client with PKCE')

const fresh = await oauth.processRefreshTokenResponse(as, phone, await oauth.refreshTokenGrantRequest(as, phone, oauth.None(), tokens.refresh_token))
assert.ok(fresh.id_token)
await assert.rejects(
	oauth.refreshTokenGrantRequest(as, phone, oauth.None(), 'no token of ours').then((r) => oauth.processRefreshTokenResponse(as, phone, r)),
	{ error: 'invalid_grant', status: 400 },
)
console.log('refresh_token')

// Each grant that has no function of its own, by its name.
const batch = { client_id: 'batch' }
const webTokens = await (async () => {
	const web = { client_id: 'web' }
	const verifier = oauth.generateRandomCodeVerifier()
	const login = new URL(`${issuer}/oauth2/authorize`)
	login.search = new URLSearchParams({
		client_id: 'web', response_type: 'code', redirect_uri: callback, scope: 'openid', state,
		code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
	})
	const params = oauth.validateAuthResponse(as, web, await browse(login), state)
	const redeemed = await oauth.authorizationCodeGrantRequest(as, web, oauth.ClientSecretBasic(secret), params, callback, verifier)
	return oauth.processAuthorizationCodeResponse(as, web, redeemed)
})()
const subject = {
	subject_token: webTokens.access_token,
	subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
}
for (const [grant, target] of [['audience_exchange', 'target_audience'], ['client_delegate', 'audience']]) {
	const answer = await oauth.genericTokenEndpointRequest(as, batch, oauth.ClientSecretBasic(secret), grant, { ...subject, [target]: 'https://shop.example.com' })
	const exchanged = await oauth.processGenericTokenEndpointResponse(as, batch, answer)
	assert.equal(exchanged.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
	assert.equal(claimsOf(exchanged.access_token).sub, 'example.com:alice')
	await reads(exchanged.access_token)
}
console.log('audience_exchange and client_delegate')

const userinfo = await oauth.userInfoRequest(as, phone, fresh.access_token)
const user = await oauth.processUserInfoResponse(as, phone, 'example.com:alice', userinfo)
assert.equal(user.family_name, 'Archer')
console.log('userinfo')

// Introspection tells a client of its own tokens, and of those for an audience
// that it accepts. To all others a token is not active.
const auth = oauth.ClientSecretBasic(secret)
const introspect = async (client_id, token) => {
	const client = { client_id }
	return oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token))
}
const about = await introspect('web', webTokens.access_token)
assert.equal(about.active, true)
assert.equal(about.client_id, 'web')
assert.equal((await introspect('web', tokens.access_token)).active, true)
assert.deepEqual(await introspect('collector', tokens.access_token), { active: false })
assert.deepEqual(await introspect('batch', webTokens.refresh_token), { active: false })

const web = { client_id: 'web' }
await oauth.processRevocationResponse(await oauth.revocationRequest(as, web, auth, webTokens.access_token))
assert.equal((await introspect('web', webTokens.access_token)).active, false)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, web, auth, fresh.refresh_token)) // Another client's: no effect.
await reads(fresh.access_token)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, phone, oauth.None(), fresh.refresh_token))
await reads(fresh.access_token, 401)
console.log('introspection and revocation')
