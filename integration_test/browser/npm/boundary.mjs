import assert from 'node:assert/strict'
import { newcomer, reports, scenario, shop, web, world } from './visit.mjs'
import { america, back, backWeb, begin, beginWeb, call, callWeb, consents, loggedIn, login, refresh, tokens } from './steps.mjs'
import { send } from './wire.mjs'

const [eu, us, report] = [`${shop}/orders/eu/7`, `${shop}/orders/us/7`, `${reports}/reports/acme/7`]

// holds tells whether what was unticked is refused, for its reason and nothing
// else, and the rest is not.
async function holds(when, ask) {
	for (const [url, want] of [[eu, [200, undefined]], [report, [200, undefined]], [us, [403, 'resource_missing']]]) {
		const { status, reason } = await ask(url)
		assert.deepEqual([status, reason], want, `${when}: ${url}`)
	}
}

// exchanged gets a token as another service does.
async function exchanged(grant, target, audience, token) {
	const answer = await send('POST', 'https://auth.example.com/oauth2/token', {
		headers: { Authorization: `Basic ${Buffer.from(`batch:${encodeURIComponent(world.clientSecret)}`).toString('base64')}` },
		form: { grant_type: grant, subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', [target]: audience },
	})
	assert.equal(answer.status, 200, answer.body)
	return JSON.parse(answer.body).access_token
}

async function ask(url, token) {
	const { status, body } = await send('GET', url, { headers: { Authorization: `Bearer ${token}` } })
	return { status, reason: JSON.parse(body).reason }
}

scenario('what was unticked stays away from a single-page application', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer(), { unticked: [america] })
	const api = (url) => call(page, url)
	await holds('at first', api)
	assert.equal((await refresh(page)).problem, undefined)
	await holds('after a refresh', api)
	for (const [grant, target] of [['audience_exchange', 'target_audience'], ['client_delegate', 'audience']]) {
		const { access } = await tokens(page)
		const forShop = await exchanged(grant, target, shop, access)
		const forReports = await exchanged(grant, target, reports, access)
		await holds(grant, (url) => ask(url, url === report ? forReports : forShop))
	}
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, undefined)
	await holds('after a silent login', api)
	await begin(page)
	assert.equal((await back(page)).problem, undefined)
	await holds('after another login', api)
})

scenario('what was unticked stays away from an application on a server', async (visit) => {
	const { page } = await visit()
	await beginWeb(page)
	await login(page, newcomer())
	await consents(page, america)
	await backWeb(page)
	const api = (url) => callWeb(page, url)
	await holds('at first', api)
	await page.goto(`${web}/refresh`)
	assert.equal(JSON.parse(await page.textContent('#result')), null)
	await holds('after a refresh', api)
	for (const [grant, target] of [['audience_exchange', 'target_audience'], ['client_delegate', 'audience']]) {
		await holds(grant, async (url) => {
			const audience = url === report ? reports : shop
			await page.goto(`${web}/exchange?${new URLSearchParams({ grant, target, audience, url })}`)
			return JSON.parse(await page.textContent('#result'))
		})
	}
	await beginWeb(page, { prompt: 'none' })
	await backWeb(page)
	await holds('after a silent login', api)
})

scenario('what one application was refused, another one was not', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer(), { unticked: [america] })
	await beginWeb(page)
	await consents(page)
	await backWeb(page)
	assert.equal((await callWeb(page, us)).status, 200)
	await begin(page)
	await back(page)
	assert.equal((await call(page, us)).reason, 'resource_missing')
})
