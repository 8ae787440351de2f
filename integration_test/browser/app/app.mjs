// A single-page application: a public client of its own site, with the modules
// of npm as they are. The tests call what stands in `app`.
import * as client from 'openid-client'

const issuer = 'https://auth.example.com'
const home = 'https://app.example.net'
const config = await client.discovery(new URL(issuer), 'dashboard', undefined, client.None())
const kept = (name) => JSON.parse(sessionStorage.getItem(name))
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value))
const show = (result) => { document.querySelector('#result').textContent = JSON.stringify(result) }
const who = () => { document.querySelector('#who').textContent = kept('tokens')?.sub ?? 'nobody' }

// login sends the browser to the server. With prompt=none it comes back at once.
async function login(parameters = {}) {
	const verifier = client.randomPKCECodeVerifier()
	const state = client.randomState()
	const nonce = client.randomNonce()
	keep('flow', { verifier, state, nonce })
	location.href = client.buildAuthorizationUrl(config, {
		redirect_uri: `${home}/callback`,
		scope: 'openid profile offline_access',
		code_challenge: await client.calculatePKCECodeChallenge(verifier),
		code_challenge_method: 'S256',
		state,
		nonce,
		...parameters,
	})
}

// back redeems the code that the browser came back with.
async function back(url) {
	const { verifier, state, nonce } = kept('flow')
	const tokens = await client.authorizationCodeGrant(config, url, {
		pkceCodeVerifier: verifier,
		expectedState: state,
		expectedNonce: nonce,
		idTokenExpected: true,
	})
	store(tokens)
	return { scope: tokens.scope, narrowed: 'allowed_resource_scope' in tokens }
}

function store(tokens) {
	keep('tokens', { access: tokens.access_token, refresh: tokens.refresh_token, id: tokens.id_token ?? kept('tokens')?.id, sub: tokens.claims()?.sub ?? kept('tokens')?.sub })
}

// refresh gets another access token, by the refresh token of the last answer.
async function refresh() {
	const tokens = await client.refreshTokenGrant(config, kept('tokens').refresh)
	store(tokens)
	return { scope: tokens.scope }
}

// call asks an API and shows what it said.
async function call(url) {
	const answer = await client.fetchProtectedResource(config, kept('tokens').access, new URL(url), 'GET').catch((err) => {
		if (err instanceof client.WWWAuthenticateChallengeError) return err.response
		throw err
	})
	const body = await answer.json().catch(() => ({}))
	return { status: answer.status, reached: body.reached, reason: body.reason, error: body.error }
}

async function logout(parameters = {}) {
	location.href = client.buildEndSessionUrl(config, { id_token_hint: kept('tokens').id, post_logout_redirect_uri: `${home}/`, ...parameters })
	sessionStorage.clear()
}

// told shows the result of an act, or why it failed.
const told = (act) => async (...given) => {
	show('...')
	try {
		const result = await act(...given)
		who()
		if (result) show(result)
		return result
	} catch (err) {
		const result = { problem: err.error ?? err.code ?? err.message, description: err.error_description ?? err.cause?.error_description ?? '' }
		show(result)
		return result
	}
}

window.app = { login: told(login), refresh: told(refresh), call: told(call), logout: told(logout), redeem: told((url) => back(new URL(url))), tokens: () => kept('tokens'), flow: () => kept('flow') }
if (location.pathname === '/callback' && location.search) {
	const url = new URL(location.href)
	history.replaceState(null, '', '/')
	window.app.url = url.href
	await window.app.redeem(url)
}
who()
document.body.dataset.ready = 'yes'
