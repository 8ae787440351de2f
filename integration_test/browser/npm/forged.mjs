// Forms that no person sent: from other sites, other browsers, of the past, out of
// their order, and with more than the page had.
import assert from 'node:assert/strict'
import { evil, issuer, neighbour, newcomer, password, scenario } from './visit.mjs'
import { back, begin, button, chooses, consents, fields, loggedIn, login, openAccount, openApp, ours, refused, sees } from './steps.mjs'
import { send } from './wire.mjs'

// forged sends a form from another site, as a click on it does.
async function forged(context, site, action, form) {
	const inputs = Object.entries(form).map(([name, value]) => `<input type=hidden name="${name}" value="${String(value).replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">`).join('')
	const page = await context.newPage()
	await page.goto(`${site}/?html=${encodeURIComponent(`<form method=post action="${action}">${inputs}<button id=go>A prize</button></form>`)}`)
	const [answer] = await Promise.all([page.waitForResponse((r) => r.url().startsWith(action)), page.click('#go')])
	await page.waitForLoadState()
	if (!action.endsWith('/logout')) await refused(page, 'request_forged')
	return { page, status: answer.status(), location: answer.headers().location ?? '' }
}

for (const site of [evil, neighbour]) {
	scenario(`a form of ${new URL(site).hostname} does no step`, async (visit) => {
		const { page, context } = await visit()
		await begin(page)
		await sees(page, 'login')
		const user = newcomer()
		let { status, location } = await forged(context, site, `${issuer}/oauth2/authorize`, { ...await fields(page), username: user, password, step: 'login' })
		assert.deepEqual([status, location], [400, ''])
		await login(page, user)
		await sees(page, 'consent')
		for (const step of ['consent', 'deny']) {
			({ status, location } = await forged(context, site, `${issuer}/oauth2/authorize`, { ...await fields(page), step }))
			assert.deepEqual([status, location], [400, ''], step)
		}
		// Nothing happened to the page that the person has.
		await consents(page)
		assert.equal((await back(page)).problem, undefined)
	})

	scenario(`a form of ${new URL(site).hostname} does nothing to the account`, async (visit) => {
		const { page, context } = await visit()
		await loggedIn(page, newcomer())
		await openAccount(page)
		const ids = await page.$$eval('input[name="id"]', (list) => list.map((input) => input.value))
		for (const [step, id] of [['end-session', ids[0]], ['revoke', ids.at(-1)], ['logout', '']]) {
			const { status } = await forged(context, site, `${issuer}/oauth2/account`, { ...await fields(page), step, id })
			assert.equal(status, 400, step)
		}
		await forged(context, site, `${issuer}/oauth2/logout`, {})
		await page.reload()
		assert.ok(await page.locator(button('revoke')).count() > 0)
		await begin(await openNew(context), { prompt: 'none' })
		const last = context.pages().at(-1)
		assert.equal((await back(last)).problem, undefined)
	})
}

async function openNew(context) {
	const page = await context.newPage()
	await openApp(page)
	return page
}

// post sends a form as a page of the server would.
const post = (cookies, form) => send('POST', `${issuer}/oauth2/authorize`, { cookies, form, headers: { Origin: issuer, 'Sec-Fetch-Site': 'same-origin' } })

// denied says that it led nowhere, and why.
function denied({ status, location, body }, reason, about = '') {
	assert.ok(status >= 400 && location === '', `${about}: ${status} ${location}`)
	assert.ok(body.includes(`>${reason}<`), `${about}: want ${reason}, got ${body.slice(body.indexOf('<details>'))}`)
}

scenario('the address of a step is no good in another browser', async (visit) => {
	const [mine, other] = [await visit(), await visit()]
	await begin(mine.page)
	await sees(mine.page, 'login')
	assert.equal((await other.page.goto(mine.page.url())).status(), 400)
	await refused(other.page, 'transaction_unknown')
	assert.equal(await other.page.locator('input[name="password"]').count(), 0)

	// Nor is it where somebody else is logged in.
	await login(mine.page, newcomer())
	await sees(mine.page, 'consent')
	await loggedIn(other.page, newcomer())
	assert.equal((await other.page.goto(mine.page.url())).status(), 400)
	await refused(other.page, 'transaction_unknown')
	assert.equal(await other.page.locator(button('consent')).count(), 0)

	// And what the form sends is not taken from there, with one cookie or both.
	const [theirs, own] = [await ours(other.context), await ours(mine.context)]
	const form = { ...await fields(mine.page), step: 'consent' }
	denied(await post(theirs, form), 'transaction_unknown')
	denied(await post([], form), 'transaction_unknown')
	const mixed = [...own.filter(({ name }) => name.endsWith('-browser')), ...theirs.filter(({ name }) => name.endsWith('-session'))]
	denied(await post(mixed, form), 'session_ended')
	await consents(mine.page)
	assert.equal((await back(mine.page)).problem, undefined)
})

scenario('a form that was sent is not taken again', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	const sent = []
	page.on('request', (request) => { if (request.method() === 'POST' && request.url() === `${issuer}/oauth2/authorize`) sent.push(request.postData()) })
	await login(page, newcomer())
	await sees(page, 'consent')
	denied(await post(await ours(context), sent[0]), 'step_expired', 'the login, at the consent page')
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
	assert.equal(sent.length, 2)
	for (const form of [...sent, sent[1]].reverse()) denied(await post(await ours(context), form), 'step_expired', 'after the end')
})

scenario('steps out of their order', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	await sees(page, 'login')
	let form = await fields(page)
	const answer = async (more) => post(await ours(context), { ...form, ...more })
	for (const [step, reason] of [['consent', 'session_ended'], ['organization', 'session_ended'], ['revoke', 'form_malformed'], ['', 'form_malformed']]) {
		denied(await answer({ step }), reason, `${step} at the login page`)
	}
	await login(page, newcomer(2))
	await sees(page, 'organization')
	denied(await answer({ step: 'consent' }), 'step_expired', 'with the turn of the login page')
	denied(await answer({ step: 'login', username: 'bob', password }), 'step_expired', 'with the turn of the login page')
	form = await fields(page)
	denied(await answer({ step: 'consent' }), 'step_expired', 'consent at the organization page')
	denied(await answer({ step: 'organization', organization: 'initech' }), 'form_malformed', 'an organization of others')
	await chooses(page, 'acme')
	await sees(page, 'consent')
})

scenario('a consent to more than the page had', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	const form = new URLSearchParams({ ...await fields(page), step: 'consent' })
	form.append('grant', 'shop/orders.write orders/us/**')
	denied(await post(await ours(context), form), 'form_malformed')
	form.set('grant', 'shop/orders.read orders/us/**')
	form.set('offer', 'A'.repeat(43))
	const { status, location, body } = await post(await ours(context), form) // The page is shown again.
	assert.deepEqual([status >= 400, location, body.includes('role="alert"') && body.includes('name="grant"')], [true, '', true])
})
