import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { browse, claimsOf, issuer, reads, robotKey, secret } from './world.mjs'

// A client's own token, with the secret in the header, in the body, or with a
// signed assertion in its place.
{
	const config = await client.discovery(new URL(issuer), 'nightly', secret)
	const tokens = await client.clientCredentialsGrant(config)

	assert.equal(tokens.token_type, 'bearer')
	assert.equal(tokens.expires_in, 1800)
	await reads(tokens.access_token)

	const basic = await client.discovery(new URL(issuer), 'nightly', undefined, client.ClientSecretBasic(secret))
	await reads((await client.clientCredentialsGrant(basic)).access_token)
	const wrong = await client.discovery(new URL(issuer), 'nightly', 'not the secret of this client')
	await assert.rejects(client.clientCredentialsGrant(wrong), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', status: 401 })
	console.log('client_credentials: secret in the body, in the header, and a wrong one')
}
{
	const der = Buffer.from(robotKey.replace(/-----.*-----|\n/g, ''), 'base64')
	const key = await crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])

	const config = await client.discovery(new URL(issuer), 'robot', undefined, client.PrivateKeyJwt(key))
	const tokens = await client.clientCredentialsGrant(config)

	await reads(tokens.access_token)
	console.log('client_credentials: private_key_jwt')
}

// The code flow, as a web application does it.
const config = await client.discovery(new URL(issuer), 'web', secret)
const verifier = client.randomPKCECodeVerifier()
const nonce = client.randomNonce()
const state = client.randomState()
const login = client.buildAuthorizationUrl(config, {
	redirect_uri: 'https://web.example.com/callback', scope: 'openid profile email',
	state, nonce, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
const back = await browse(login)
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, back, checks)
assert.equal(tokens.claims().sub, 'example.com:alice')
await reads(tokens.access_token)
await assert.rejects(client.authorizationCodeGrant(config, back, { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }), { error: 'invalid_grant' })
console.log('authorization_code: PKCE, nonce, state and iss')

const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
assert.equal(fresh.claims().sub, 'example.com:alice')
assert.notEqual(fresh.refresh_token, tokens.refresh_token)
console.log('refresh_token: another one, and an id token')

const user = await client.fetchUserInfo(config, fresh.access_token, fresh.claims().sub)
assert.equal(user.email, 'alice@example.com')
console.log('userinfo')

// Other grants go by their names, in either spelling.
{
	const batch = await client.discovery(new URL(issuer), 'batch', secret)
	const exchanged = await client.genericGrantRequest(batch, 'audience_exchange', {
		subject_token: fresh.access_token,
		subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
		target_audience: 'https://shop.example.com',
	})
	assert.equal(claimsOf(exchanged.access_token).azp, 'batch')
	await reads(exchanged.access_token)
	const again = await client.genericGrantRequest(batch, 'urn:vmware:params:oauth:grant-type:audience-exchange', {
		subject_token: fresh.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', target_audience: 'https://shop.example.com',
	})
	assert.equal(claimsOf(again.access_token).sub, 'example.com:alice')
}
console.log('genericGrantRequest: audience_exchange')

assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, true)
assert.equal((await client.tokenIntrospection(config, fresh.refresh_token)).active, true)
await client.tokenRevocation(config, fresh.refresh_token)
assert.equal((await client.tokenIntrospection(config, fresh.refresh_token)).active, false)
assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false)
await reads(fresh.access_token, 401)
await assert.rejects(client.refreshTokenGrant(config, fresh.refresh_token), { error: 'invalid_grant' })
console.log('introspection and revocation')
