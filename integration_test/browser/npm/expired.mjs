// What was begun is over. Time is the store's: what it has forgotten is what
// came to its end.
import assert from 'node:assert/strict'
import { app, control, issuer, newcomer, scenario } from './visit.mjs'
import { back, begin, consents, follows, login, openApp, press, refused, sees } from './steps.mjs'

for (const step of ['login', 'consent']) {
	scenario(`the ${step} page was open for too long`, async (visit) => {
		const { page } = await visit()
		const user = newcomer()
		await openApp(page)
		await control('remember')
		await begin(page)
		if (step === 'consent') {
			await login(page, user)
			await sees(page, 'consent')
		}
		await sees(page, step)
		assert.ok(await control('forget') > 0)
		if (step === 'login') await login(page, user)
		else await press(page, step)
		await refused(page, 'transaction_unknown')
		assert.ok(page.url().startsWith(issuer), 'an expired step gave an answer')
		assert.ok((await page.innerText('main')).length > 20)
		assert.equal(await page.locator('button[value="consent"]').count(), 0)
		// From the application everything goes on.
		await page.goto(`${app}/`)
		await begin(page)
		await login(page, user)
		await consents(page)
		assert.equal((await back(page)).problem, undefined)
	})
}

scenario('the address of a step that is over', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	const address = page.url()
	await login(page, newcomer())
	await consents(page)
	await back(page)
	const answer = await page.goto(address)
	assert.equal(answer.status(), 400)
	await refused(page, 'step_expired')
	assert.equal(answer.headers()['cache-control'], 'no-store')
})

scenario('the store is away: a page that says to wait, and then it goes on', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	await control('redis-stop')
	try {
		const answer = page.waitForResponse((response) => response.request().method() === 'POST')
		await press(page, 'consent')
		assert.equal((await answer).status(), 503)
		assert.ok(Number((await answer).headers()['retry-after']) > 0)
		await refused(page, 'store_unavailable')
	} finally {
		await control('redis-go')
	}
	if (await page.locator('main a.main').count() > 0) await follows(page, 'main a.main')
	else await page.goBack()
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
})
