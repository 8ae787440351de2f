// Another OpenID provider, with pages of its own. It knows whoever says a name:
// the account is the name, and its claims follow from it. It prints a line when
// it listens, and ends when its standard input does.
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { Provider } from 'oidc-provider'

const { URL: issuer, SECRET, CALLBACK, CERTIFICATE, KEY } = process.env

// claims of an account. ann has the address of a local user, verified; una has
// one that is not.
const claims = (sub) => ({
	sub,
	preferred_username: sub,
	name: `${sub} of the company`,
	given_name: sub,
	family_name: 'Company',
	email: sub === 'ann' ? 'bob@example.com' : `${sub}@company.example`,
	email_verified: sub !== 'una',
	groups: sub === 'nora' ? [] : ['staff'],
	tenant: 'acme',
})

const provider = new Provider(issuer, {
	clients: [{
		client_id: 'scopegate', client_secret: SECRET, redirect_uris: [CALLBACK], response_types: ['code'], grant_types: ['authorization_code'],
		token_endpoint_auth_method: 'client_secret_basic',
	}],
	claims: { openid: ['sub'], profile: ['name', 'given_name', 'family_name', 'preferred_username', 'groups', 'tenant'], email: ['email', 'email_verified'] },
	conformIdTokenClaims: false,
	cookies: { keys: ['a key of the tests'] },
	features: { devInteractions: { enabled: false } },
	findAccount: (ctx, sub) => ({ accountId: sub, claims: () => claims(sub) }),
	interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
	pkce: { required: () => true },
	// Whoever logged in has agreed to tell our server.
	loadExistingGrant: async (ctx) => {
		const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
		grant.addOIDCScope('openid profile email')
		await grant.save()
		return grant
	},
})

const form = '<!doctype html><html lang="en"><title>Company login</title><h1>Company login</h1>'
	+ '<form method="post"><label>Name <input name="login"></label><button>Log in</button><button name="cancel" value="1">Cancel</button></form>'

const answer = provider.callback()
const server = https.createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, async (req, res) => {
	if (!req.url.startsWith('/interaction/')) return answer(req, res)
	try {
		await provider.interactionDetails(req, res)
		if (req.method === 'GET') return res.setHeader('Content-Type', 'text/html; charset=utf-8').end(form)
		let body = ''
		for await (const part of req) body += part
		const said = new URLSearchParams(body)
		const result = said.has('cancel') ? { error: 'access_denied', error_description: 'The person went away.' } : { login: { accountId: said.get('login') } }
		await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
	} catch (err) {
		res.writeHead(500).end(err.message)
	}
})
process.stdin.on('end', () => process.exit(0)).resume()
server.listen(Number(new URL(issuer).port), '127.0.0.1', () => console.log('ready'))
