// The server ends and begins again while people are in the middle of something,
// with a store that remembers.
import assert from 'node:assert/strict'
import { control, newcomer, scenario, shop } from './visit.mjs'
import { america, back, backWeb, begin, beginWeb, call, chooses, consents, loggedIn, login, refresh, sees } from './steps.mjs'

scenario('a restart at each page: the person goes on', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	await control('restart') // Between the page and its answer.
	await login(page, newcomer(2))
	await sees(page, 'organization')
	await control('restart')
	await chooses(page, 'acme')
	await sees(page, 'consent')
	await control('restart')
	await page.reload() // And between an answer and the next page.
	await consents(page, america)
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
})

scenario('a restart between login and consent of two people', async (visit) => {
	const [one, two] = [await visit(), await visit()]
	await begin(one.page)
	await beginWeb(two.page)
	await login(one.page, newcomer())
	await sees(one.page, 'consent')
	await sees(two.page, 'login')
	await control('restart')
	await login(two.page, newcomer())
	await consents(two.page)
	await consents(one.page)
	assert.equal((await back(one.page)).problem, undefined)
	assert.equal((await backWeb(two.page)), null)
})

scenario('sessions and what was agreed to outlive a restart', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer(), { unticked: [america] })
	await control('restart')
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await refresh(page)).problem, undefined)
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
})

scenario('the server is away for a while', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	await control('stop')
	await page.reload().catch(() => {})
	await page.waitForURL('chrome-error://**') // The browser's own page, which comes a moment later.
	await control('start')
	await page.reload()
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
})
