import assert from 'node:assert/strict'
import OAuth2Strategy from 'passport-oauth2'
import { browse, issuer, reads, secret } from './world.mjs'

const strategy = new OAuth2Strategy({
	authorizationURL: `${issuer}/oauth2/authorize`,
	tokenURL: `${issuer}/oauth2/token`,
	clientID: 'web',
	clientSecret: secret,
	callbackURL: 'https://web.example.com/callback',
	scope: ['openid', 'profile'],
	state: true,
	pkce: true,
}, (accessToken, refreshToken, params, profile, done) => done(null, { accessToken, refreshToken, params }))

// authenticate runs the strategy as passport does, for a request with a session.
const session = {}
const authenticate = (query) => new Promise((resolve, reject) => {
	const acting = Object.create(strategy)
	acting.redirect = resolve
	acting.success = resolve
	acting.fail = (challenge) => reject(new Error(`refused: ${challenge?.message ?? challenge}`))
	acting.error = reject
	acting.authenticate({ query, session })
})

const back = await browse(await authenticate({}))
const user = await authenticate(Object.fromEntries(back.searchParams))
await reads(user.accessToken)
assert.equal(user.params.token_type, 'Bearer')
assert.equal(user.params.expires_in, 1800)
assert.ok(user.params.id_token)
console.log('authorization_code with PKCE and state')

const oauth = strategy._oauth2
const refresh = (token) => new Promise((resolve, reject) => {
	oauth.getOAuthAccessToken(token, { grant_type: 'refresh_token' }, (err, access, next) => err ? reject(err) : resolve({ access, next }))
})
const fresh = await refresh(user.refreshToken)
assert.notEqual(fresh.next, user.refreshToken)
await reads(fresh.access)
await assert.rejects(refresh('no token of ours'), (err) => err.statusCode === 400 && JSON.parse(err.data).error === 'invalid_grant')
console.log('refresh_token, by the module oauth')

oauth.useAuthorizationHeaderforGET(true)
const profile = await new Promise((resolve, reject) => {
	oauth.get(`${issuer}/oauth2/userinfo`, fresh.access, (err, body) => err ? reject(err) : resolve(JSON.parse(body)))
})
assert.equal(profile.sub, 'example.com:alice')
console.log('userinfo, with the token in the header')
