import assert from 'node:assert/strict'
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2'
import { browse, callback, issuer, reads, secret } from './world.mjs'

{
	const client = new ClientCredentials({
		client: { id: 'nightly', secret },
		auth: { tokenHost: issuer, tokenPath: '/oauth2/token' },
	})
	const token = await client.getToken()

	assert.equal(token.token.token_type, 'Bearer')
	assert.equal(token.expired(), false)
	assert.equal(token.expired(1801), true)
	await reads(token.token.access_token)
}
{
	const client = new ClientCredentials({
		client: { id: 'nightly', secret },
		auth: { tokenHost: issuer, tokenPath: '/oauth2/token' },
		options: { authorizationMethod: 'body', bodyFormat: 'json' },
	})
	await reads((await client.getToken()).token.access_token)
	console.log('client_credentials: secret in the header and in a form, and in a JSON body')
	const wrong = new ClientCredentials({ client: { id: 'nightly', secret: 'wrong' }, auth: { tokenHost: issuer, tokenPath: '/oauth2/token' } })
	await assert.rejects(wrong.getToken(), (err) => err.output.statusCode === 401 && err.data.payload.error === 'invalid_client')
}

const client = new AuthorizationCode({
	client: { id: 'web', secret },
	auth: {
		tokenHost: issuer,
		tokenPath: '/oauth2/token',
		authorizePath: '/oauth2/authorize',
		revokePath: '/oauth2/revoke',
	},
})
// It knows nothing of PKCE, and hands on what it is given.
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const login = client.authorizeURL({
	redirect_uri: callback, scope: 'openid profile', state: 'af0ifjsldkj',
	code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
})
const back = await browse(login)
const first = await client.getToken({ code: back.searchParams.get('code'), redirect_uri: callback, code_verifier: verifier })
await reads(first.token.access_token)
const second = await first.refresh()
assert.notEqual(second.token.refresh_token, first.token.refresh_token)
assert.ok(second.token.id_token)
await reads(second.token.access_token)
console.log('authorization_code and refresh_token')

await second.revokeAll()
await reads(second.token.access_token, 401)
await assert.rejects(second.refresh(), (err) => err.data.payload.error === 'invalid_grant')
console.log('revoke')
