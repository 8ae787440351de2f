// The server that token requests are compared with, set up as our own is for
// tokenexchange/testdata/parameters.txt. It prints its URL, and ends when its
// standard input does. GET /make/<name> gives what a $name of that table is here.
import { createHash } from 'node:crypto'
import http from 'node:http'
import { exportJWK, generateKeyPair, importPKCS8, SignJWT } from 'jose'
import { Provider, errors } from 'oidc-provider'

const callback = 'https://web.example.com/callback'
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const robot = await importPKCS8(process.env.ROBOT_KEY, 'ES256', { extractable: true })
const stranger = await generateKeyPair('ES256', { extractable: true })
const { d, ...robotJWK } = await exportJWK(robot)
const signing = await generateKeyPair('RS256', { extractable: true })

// The grants that oidc-provider has not. What comes to their handler was taken
// at the door, and is not compared.
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const custom = ['password', 'client_delegate', 'audience_exchange', 'context_switch', 'impersonate_user', exchange]
const parameters = [
	'username', 'password', 'scope', 'state', 'orgId', 'org_id', 'allowed_resource_scope', 'servicesPermissionsScopesDto',
	'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'target_audience', 'audience', 'resource', 'requested_token_type',
	'accessTokenValiditySeconds', 'refreshTokenValiditySeconds', 'maxGroupsInIdToken', 'subject_ip',
]

const secretOf = (id) => `${id}/+%secret%41+of~22 chars`
const client = (client_id, grant_types, more) => ({
	client_id, client_secret: secretOf(client_id), grant_types, redirect_uris: [], response_types: [], scope: 'openid', ...more,
})
const login = { redirect_uris: [callback], response_types: ['code'] }
const open = { client_secret: undefined, token_endpoint_auth_method: 'none' }
const signs = (key) => ({ client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [key] } })

const server = http.createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
	clients: [
		client('web', ['authorization_code', 'refresh_token', 'password', 'context_switch'], { ...login, scope: 'openid profile email offline_access group_names group_ids orders' }),
		client('legacy', ['authorization_code'], login),
		client('phone', ['authorization_code', 'refresh_token'], { ...open, response_types: ['code'], redirect_uris: ['http://127.0.0.1/done'], application_type: 'native' }),
		client('nightly', ['client_credentials'], { scope: 'orders reports' }),
		client('signer', ['client_credentials'], signs(robotJWK)),
		client('robot', ['client_credentials'], signs(robotJWK)),
		client('tractor', ['client_credentials'], signs(await exportJWK(stranger.publicKey))),
		client('mobile', ['password'], open),
		client('console', ['password', 'refresh_token', 'context_switch', 'impersonate_user'], { ...login, scope: 'openid orders' }),
		client('batch', ['client_credentials', 'audience_exchange', exchange]),
		client('portal', ['audience_exchange']),
		client('agent', ['client_credentials', 'client_delegate', exchange]),
		client('both', ['audience_exchange', 'client_delegate', exchange]),
	],
	scopes: ['openid', 'offline_access', 'profile', 'email', 'orders', 'reports', 'group_names', 'group_ids'],
	findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
	features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false }, resourceIndicators: { enabled: false } },
	pkce: { required: (ctx, { clientId }) => clientId !== 'legacy' },
	allowOmittingSingleRegisteredRedirectUri: false,
	clockTolerance: 5,
	rotateRefreshToken: true,
	issueRefreshToken: () => true,
	clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
	enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'RS256'] },
	jwks: { keys: [{ ...await exportJWK(signing.privateKey), use: 'sig', alg: 'RS256' }] },
	cookies: { keys: ['a key of the tests'] },
})
for (const name of custom) {
	provider.registerGrantType(name, () => { throw new errors.CustomOIDCProviderError('reached', 'the handler') }, parameters)
}

async function granted(clientId, scope = 'openid profile orders') {
	const grant = new provider.Grant({ accountId: 'ada', clientId })
	grant.addOIDCScope(scope)
	return { accountId: 'ada', client: await provider.Client.find(clientId), grantId: await grant.save(), scope, gty: 'authorization_code' }
}

async function code(clientId, more = {}) {
	const Challenge = (text) => createHash('sha256').update(text).digest('base64url')
	const { text = verifier, ...rest } = more
	return new provider.AuthorizationCode({
		...await granted(clientId), redirectUri: callback, authTime: 1, nonce: 'n-0S6_WzA2Mj',
		...(text && { codeChallenge: Challenge(text), codeChallengeMethod: 'S256' }), ...rest,
	}).save()
}

const assertion = (key) => new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setIssuer('signer').setSubject('signer').setAudience(issuer)
	.setJti(Math.random().toString(36)).setIssuedAt().setExpirationTime('1m').sign(key)

const make = {
	code: () => code('web'),
	code_stateless: () => code('web'),
	code_groups: () => code('web'),
	code_open: () => code('legacy', { text: '' }),
	code_phone: () => code('phone', { redirectUri: 'http://127.0.0.1:49152/done' }),
	code_x42: () => code('web', { text: 'x'.repeat(42) }),
	code_x43: () => code('web', { text: 'x'.repeat(43) }),
	code_x128: () => code('web', { text: 'x'.repeat(128) }),
	code_x129: () => code('web', { text: 'x'.repeat(129) }),
	code_slash: () => code('web', { text: `${'x'.repeat(43)}/` }),
	refresh: async () => new provider.RefreshToken({ ...await granted('web'), authTime: 1 }).save(),
	assertion: () => assertion(robot),
	assertion_forged: () => assertion(stranger.privateKey),
	assertion_used: async () => {
		const used = await assertion(robot)
		const body = new URLSearchParams({ grant_type: 'client_credentials', client_assertion: used, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' })
		const answer = await fetch(`${issuer}/token`, { method: 'POST', body })
		if (answer.status !== 200) throw new Error(await answer.text())
		return used
	},
	access: async () => new provider.AccessToken(await granted('web')).save(),
}

const answer = provider.callback()
server.on('request', async (req, res) => {
	const [, name] = req.url.match(/^\/make\/([a-z0-9_]+)$/) ?? []
	if (!name) return answer(req, res)
	try {
		res.end(await (make[name] ?? make.access)())
	} catch (err) {
		res.writeHead(500).end(err.stack)
	}
})
process.stdin.on('end', () => process.exit(0)).resume()
console.log(issuer)
