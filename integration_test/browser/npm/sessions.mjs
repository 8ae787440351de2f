import assert from 'node:assert/strict'
import { app, issuer, newcomer, scenario, shop, web } from './visit.mjs'
import { back, backWeb, begin, beginWeb, button, call, consents, follows, loggedIn, login, openAccount, press, refresh, refused, sees, tokens, who } from './steps.mjs'
import { send } from './wire.mjs'

const session = async (context) => (await context.cookies(issuer)).find(({ name }) => name === '__Host-scopegate-session')

// others ends a session of another browser: that of this one is marked.
const others = `li:not(:has-text("this browser")) ${button('end-session')}`

// over says that nobody is logged in, and that the old cookie opens nothing.
async function over(page, old) {
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, 'login_required')
	const { status, body, location } = await send('GET', `${issuer}/oauth2/account`, { cookies: [old] })
	assert.ok(!body.includes('end-session'), `the old cookie opens the account: ${status} ${location}`)
}

scenario('logout from the application', async (visit) => {
	const { page, context } = await visit()
	await loggedIn(page, newcomer(), { parameters: { scope: 'openid profile' } })
	const old = await session(context)
	const { access } = await tokens(page)
	await page.evaluate(() => { window.app.logout({ state: 'bye' }) })
	await page.waitForURL((url) => url.origin === app && url.searchParams.get('state') === 'bye')
	assert.equal(await who(page), 'nobody')
	await over(page, old)
	// What was issued in this session ended with it.
	const { status } = await send('GET', `${shop}/orders/eu/1`, { headers: { Authorization: `Bearer ${access}` } })
	assert.equal(status, 401)
})

scenario('logout without a hint asks first', async (visit) => {
	const { page, context } = await visit()
	await loggedIn(page, newcomer())
	const old = await session(context)
	await page.goto(`${issuer}/oauth2/logout`)
	assert.equal((await session(context)).value, old.value)
	await follows(page, 'main form button')
	assert.ok(page.url().startsWith(issuer))
	await over(page, old)
})

scenario('logout from the account page', async (visit) => {
	const { page, context } = await visit()
	await loggedIn(page, newcomer())
	const old = await session(context)
	await openAccount(page)
	await press(page, 'logout')
	await over(page, old)
})

scenario('logout at an application on a server', async (visit) => {
	const { page, context } = await visit()
	await beginWeb(page)
	await login(page, newcomer())
	await consents(page)
	await backWeb(page)
	const old = await session(context)
	await page.goto(`${web}/logout`)
	await page.waitForURL((url) => url.origin === web)
	assert.equal(await who(page), 'nobody')
	await over(page, old)
})

scenario('the account page asks who it is', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await openAccount(page)
	await login(page, user)
	await page.waitForSelector('button[value="end-session"], button[value="logout"]')
	assert.ok((await page.innerText('main')).includes(user))
})

scenario('a session is revoked while a tab is at the consent page', async (visit) => {
	const [here, there] = [await visit(), await visit()]
	const user = newcomer()
	await begin(here.page)
	await login(here.page, user)
	await sees(here.page, 'consent')

	await openAccount(there.page)
	await login(there.page, user)
	await there.page.waitForSelector('button[value="end-session"]')
	const mine = await session(there.context)
	assert.equal(await there.page.locator(button('end-session')).count(), 2)
	await follows(there.page, others)
	assert.equal((await session(there.context)).value, mine.value)
	assert.equal(await there.page.locator(button('end-session')).count(), 1)

	await press(here.page, 'consent')
	assert.ok(here.page.url().startsWith(issuer), `a code after the session ended: ${here.page.url()}`)
	await refused(here.page, 'session_ended')
	// The person goes on by logging in again.
	await follows(here.page, 'main a.main')
	await login(here.page, user)
	await consents(here.page)
	assert.equal((await back(here.page)).problem, undefined)
})

scenario('a session is revoked, and its tokens with it', async (visit) => {
	const [here, there] = [await visit(), await visit()]
	const user = newcomer()
	await loggedIn(here.page, user, { parameters: { scope: 'openid profile' } })
	await openAccount(there.page)
	await login(there.page, user)
	await there.page.waitForSelector('button[value="end-session"]')
	await follows(there.page, others)
	const gone = await call(here.page, `${shop}/orders/eu/1`)
	assert.deepEqual([gone.status, gone.reason], [401, 'token_revoked'])
	assert.equal((await refresh(here.page)).problem, 'invalid_grant')
	await begin(here.page, { prompt: 'none' })
	assert.equal((await back(here.page)).problem, 'login_required')
})
