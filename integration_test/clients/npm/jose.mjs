import assert from 'node:assert/strict'
import { createLocalJWKSet, createRemoteJWKSet, importX509, jwtVerify } from 'jose'
import { issuer, secret } from './world.mjs'

const answer = await fetch(`${issuer}/oauth2/token`, {
	method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'nightly', client_secret: secret }),
})
const { access_token: accessToken } = await answer.json()

const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`))
const { payload } = await jwtVerify(accessToken, keys, {
	issuer,
	audience: 'https://shop.example.com',
	typ: 'at+jwt',
})

assert.equal(payload.sub, 'nightly')
console.log('an access token, by the key set at its URL')
const [head, body, signature] = accessToken.split('.')
const forged = [head, Buffer.from(JSON.stringify({ ...payload, sub: 'web' })).toString('base64url'), signature].join('.')
await assert.rejects(jwtVerify(forged, keys), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
await assert.rejects(jwtVerify(accessToken, keys, { audience: 'https://crm.example.com' }), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })

// The set under its CSP name, and the certificate in it.
const set = await (await fetch(`${issuer}/csp/gateway/am/api/auth/keys`)).json()
await jwtVerify(accessToken, createLocalJWKSet(set))
for (const key of set.keys) {
	const certified = await importX509(`-----BEGIN CERTIFICATE-----\n${key.x5c[0]}\n-----END CERTIFICATE-----`, key.alg)
	if (key.alg === 'ES256') await jwtVerify(accessToken, certified)
}
console.log(`${set.keys.length} keys, each with a certificate`)
