import assert from 'node:assert/strict'
import { app, issuer, newcomer, scenario, shop } from './visit.mjs'
import { back, backWeb, begin, beginWeb, call, callWeb, chooses, consents, follows, loggedIn, login, openApp, press, refused, sees, who } from './steps.mjs'

scenario('login, consent, and the API of a single-page application', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer())
	assert.deepEqual(await call(page, `${shop}/orders/eu/7`), { status: 200, reached: 'GET /orders/eu/7' })
})

scenario('login, consent, and the API of an application on a server', async (visit) => {
	const { page } = await visit()
	await beginWeb(page)
	await login(page, newcomer())
	await consents(page)
	await backWeb(page)
	assert.equal(await who(page), 'somebody')
	assert.deepEqual(await callWeb(page, `${shop}/orders/eu/7`), { status: 200, reached: 'GET /orders/eu/7' })
})

scenario('a wrong password, and then the right one', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user, 'not the password of anybody')
	await sees(page, 'login')
	const told = await page.innerText('[role="alert"]')
	assert.ok(told.length > 10, told)
	assert.equal(await page.inputValue('input[name="username"]'), user)
	assert.equal(await page.inputValue('input[name="password"]'), '')
	await login(page, user)
	await consents(page)
	await back(page)
	assert.equal(await who(page), `example.com:${user}`)

	// Who does not exist gets the same page.
	const stranger = (await visit()).page
	await begin(stranger)
	await login(stranger, 'nobody-of-that-name', 'not the password of anybody')
	await sees(stranger, 'login')
	assert.equal(await stranger.innerText('[role="alert"]'), told)
})

scenario('somebody of two organizations chooses one', async (visit) => {
	const { page } = await visit()
	const user = newcomer(2)
	await begin(page)
	await login(page, user)
	await sees(page, 'organization')
	const text = await page.innerText('main')
	assert.ok(text.includes('Acme Ltd') && text.includes('Globex <Corp> & Sons'), text)
	await chooses(page, 'globex')
	await sees(page, 'consent')
	assert.ok((await page.innerText('main')).includes('reports/globex/**'))
	await consents(page)
	await back(page)
	const claims = await page.evaluate(() => JSON.parse(atob(window.app.tokens().access.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))))
	assert.equal(claims.context_name, 'globex')
})

scenario('an application chooses the organization', async (visit) => {
	const { page } = await visit()
	await begin(page, { orgId: 'globex' })
	await login(page, newcomer(2))
	await consents(page)
	assert.equal((await back(page)).problem, undefined)

	// One that somebody is no member of is none.
	const other = (await visit()).page
	await begin(other, { orgId: 'globex' })
	await login(other, newcomer())
	assert.equal((await back(other)).problem, 'invalid_request')
})

scenario('the application says who logs in', async (visit) => {
	const { page } = await visit()
	await begin(page, { login_hint: 'somebody@example.com' })
	await sees(page, 'login')
	assert.equal(await page.inputValue('input[name="username"]'), 'somebody@example.com')
})

scenario('prompt=none', async (visit) => {
	const { page } = await visit()
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, 'login_required')

	const user = newcomer()
	await beginWeb(page)
	await login(page, user)
	await consents(page)
	await backWeb(page)
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, 'consent_required')

	await begin(page)
	await consents(page)
	await back(page)
	await openApp(page)
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, undefined)
	assert.equal(await who(page), `example.com:${user}`)
	assert.equal((await call(page, `${shop}/orders/us/7`)).status, 200)
})

scenario('prompt=none, and an organization to choose', async (visit) => {
	const { page } = await visit()
	await begin(page, { orgId: 'acme' })
	await login(page, newcomer(2))
	await consents(page)
	await back(page)
	await begin(page, { prompt: 'none' })
	const { problem } = await back(page)
	assert.ok(['account_selection_required', 'interaction_required'].includes(problem), problem)
})

scenario('prompt=login asks again, and max_age does when it is over', async (visit) => {
	const { page, context } = await visit()
	const user = newcomer()
	await loggedIn(page, user)
	const session = async () => (await context.cookies(issuer)).find(({ name }) => name === '__Host-scopegate-session').value
	const first = await session()

	await begin(page, { prompt: 'login' })
	await login(page, user)
	assert.equal((await back(page)).problem, undefined)
	assert.notEqual(await session(), first)

	await begin(page, { max_age: '3600' })
	assert.equal((await back(page)).problem, undefined)
	await begin(page, { max_age: '0' })
	await login(page, user)
	assert.equal((await back(page)).problem, undefined)
	await begin(page, { max_age: '0', prompt: 'none' })
	assert.equal((await back(page)).problem, 'login_required')
})

scenario('prompt=login, and somebody else logs in', async (visit) => {
	const { page } = await visit()
	const [first, second] = [newcomer(), newcomer()]
	await loggedIn(page, first)
	await begin(page, { prompt: 'login' })
	await login(page, second)
	await consents(page)
	await back(page)
	assert.equal(await who(page), `example.com:${second}`)
})

scenario('every page can be loaded again', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	await page.reload()
	await login(page, newcomer(2))
	await sees(page, 'organization')
	await page.reload()
	await chooses(page, 'acme')
	await sees(page, 'consent')
	await page.reload()
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
})

scenario('back and forward', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user)
	await sees(page, 'consent')
	await page.goBack()
	await page.waitForLoadState()
	// Whatever stands there, it does not ask who is logged in to log in again, or
	// it takes the login again: forward and on to the application.
	await page.goForward()
	await consents(page)
	assert.equal((await back(page)).problem, undefined)

	// After the end there is no way back in.
	await page.goBack()
	await page.waitForLoadState()
	if (page.url().startsWith(issuer)) {
		const again = page.locator('button[value="consent"]')
		if (await again.count() > 0) {
			await follows(page, 'button[value="consent"]')
			assert.ok(!page.url().startsWith(app), 'a page of the past gave a code')
		}
	}
})

scenario('a page of the past is sent again', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	await page.goBack()
	await page.waitForLoadState()
	if (await page.locator('input[name="password"]').count() > 0) {
		await login(page, newcomer())
	}
	// The person is told, or is where they were.
	await page.waitForLoadState()
	assert.ok(page.url().startsWith(issuer))
	assert.equal(await page.locator('main').count(), 1)
})

scenario('two tabs with two applications at once', async (visit) => {
	const { page, context } = await visit()
	const user = newcomer()
	const second = await context.newPage()
	await begin(page)
	await beginWeb(second)
	await sees(page, 'login')
	await sees(second, 'login')
	await login(page, user)
	await sees(page, 'consent')
	await login(second, user)
	await consents(second)
	await backWeb(second)
	assert.equal(await who(second), 'somebody')
	// The login of the first tab is another one now. It is told, and goes on.
	await press(page, 'consent')
	await refused(page, 'session_ended')
	await follows(page, 'main a.main')
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
	assert.equal(await who(page), `example.com:${user}`)
})
