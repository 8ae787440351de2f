// What an attacker can do with a browser: frames, planted cookies, markup, other
// addresses and codes of others.
import assert from 'node:assert/strict'
import { app, evil, issuer, neighbour, newcomer, scenario, web } from './visit.mjs'
import { back, backWeb, begin, beginWeb, consents, loggedIn, login, openAccount, openApp, ours, sees, who } from './steps.mjs'

const sessionName = '__Host-scopegate-session'
const browserName = '__Host-scopegate-browser'
const cookie = async (context, name) => (await ours(context)).find((c) => c.name === name)?.value

// at opens a page of the server, each in a state of its own.
const places = {
	login: async ({ page }) => { await begin(page); await sees(page, 'login') },
	organization: async ({ page }) => { await begin(page); await login(page, newcomer(2)); await sees(page, 'organization') },
	consent: async ({ page }) => { await begin(page); await login(page, newcomer()); await sees(page, 'consent') },
	account: async ({ page }) => { await loggedIn(page, newcomer()); await openAccount(page) },
	logout: async ({ page }) => { await loggedIn(page, newcomer()); await page.goto(`${issuer}/oauth2/logout`) },
	failure: async ({ page }) => { await page.goto(`${issuer}/oauth2/authorize?client_id=nobody`) },
}

for (const [name, open] of Object.entries(places)) {
	scenario(`framing: the ${name} page stays out of a frame`, async (visit) => {
		const visitor = await visit()
		visitor.expected.push(/frame-ancestors|X-Frame-Options/i) // The browser says that it obeyed.
		await open(visitor)
		const address = visitor.page.url()
		for (const site of [evil, neighbour]) {
			const page = await visitor.context.newPage()
			await page.goto(`${site}/?html=${encodeURIComponent(`<iframe src="${address.replaceAll('&', '&amp;')}" width=900 height=600></iframe>`)}`)
			await page.waitForLoadState('networkidle')
			for (const frame of page.frames().slice(1)) {
				const text = await frame.evaluate(() => document.body?.innerText ?? '').catch(() => '')
				assert.ok(!frame.url().startsWith(issuer), frame.url())
				assert.ok(!/Order dashboard|Password|Log out/i.test(text), text)
			}
			await page.close()
		}
	})
}

scenario('session fixation: the cookie of before is not that of after', async (visit) => {
	const [attacker, victim] = [await visit(), await visit()]
	await loggedIn(attacker.page, newcomer())
	const planted = await ours(attacker.context)
	await victim.context.addCookies(planted)
	const user = newcomer()
	await begin(victim.page, { prompt: 'login' })
	await login(victim.page, user)
	await consents(victim.page)
	await back(victim.page)
	assert.equal(await who(victim.page), `example.com:${user}`)
	assert.notEqual(await cookie(victim.context, sessionName), planted.find(({ name }) => name === sessionName).value)
	// What the attacker has is still the attacker's, or nothing.
	await openAccount(attacker.page)
	assert.ok(!(await attacker.page.innerText('main')).includes(user))
})

scenario('session fixation: a made up cookie opens nothing', async (visit) => {
	const { page, context } = await visit()
	const value = 'A'.repeat(43)
	await context.addCookies([sessionName, browserName].map((name) => ({ name, value, domain: 'auth.example.com', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' })))
	const user = newcomer()
	await loggedIn(page, user)
	assert.notEqual(await cookie(context, sessionName), value)
})

scenario('the cookies are for the server alone', async (visit) => {
	const { page, context } = await visit()
	await loggedIn(page, newcomer())
	const cookies = await ours(context)
	assert.equal(cookies.length, 2)
	for (const { name, domain, path, secure, httpOnly, sameSite } of cookies) {
		assert.deepEqual({ name, domain, path, secure, httpOnly, sameSite }, { name, domain: 'auth.example.com', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' })
	}
})

const markup = '"><script>document.title="owned"</script><img src=x onerror=document.title="owned">{{7*7}}'
const harmless = async (page) => {
	const { scripts, images, title, text } = await page.evaluate(() => ({
		scripts: document.scripts.length, images: document.querySelectorAll('img[src="x"]').length, title: document.title, text: document.documentElement.innerText,
	}))
	assert.deepEqual({ scripts, images }, { scripts: 0, images: 0 })
	assert.ok(!title.includes('owned') && !text.includes('49'), title)
}

scenario('markup in the request and in names is text', async (visit) => {
	const { page } = await visit()
	page.on('dialog', () => assert.fail('a dialog'))
	await beginWeb(page, { login_hint: markup, client_id: 'markup', ui_locales: markup })
	await sees(page, 'login')
	await harmless(page)
	assert.equal(await page.inputValue('input[name="username"]'), markup)
	assert.ok((await page.innerText('main')).includes('<script>alert(3)</script>'), 'the name of the client')
	await login(page, markup, 'x')
	await sees(page, 'login')
	await harmless(page)
	assert.equal(await page.inputValue('input[name="username"]'), markup)
	await login(page, 'mallory')
	await sees(page, 'consent')
	await harmless(page)
	await openAccount(page)
	await harmless(page)
	assert.ok((await page.innerText('main')).includes('<script>alert(1)</script>'), 'the name of the user')
})

scenario('markup in errors is text', async (visit) => {
	const { page } = await visit()
	for (const query of [{ client_id: markup }, { client_id: 'dashboard', redirect_uri: markup }, { transaction: markup }, { client_id: 'dashboard', redirect_uri: `${app}/callback`, state: markup, response_type: markup }]) {
		await page.goto(`${issuer}/oauth2/authorize?${new URLSearchParams(query)}`)
		if (page.url().startsWith(issuer)) await harmless(page)
	}
})

scenario('state comes back as it was', async (visit) => {
	const visitor = await visit()
	const { page } = visitor
	const url = await caught(visitor, newcomer(), () => page.goto(`${issuer}/oauth2/authorize?${new URLSearchParams({
		client_id: 'dashboard', redirect_uri: `${app}/callback`, response_type: 'code', scope: 'openid', state: markup,
		code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
	})}`), app)
	assert.equal(url.searchParams.get('state'), markup)
	assert.equal(url.searchParams.get('iss'), issuer)
})

// Each of these is another place than the registered one.
const elsewhere = [
	'https://APP.example.net/callback', 'https://app.example.net/Callback', `${app}/callback/`, `${app}/callback?x=1`, `${app}/callback#x`,
	'https://app.example.net:8443/callback', 'https://app.example.net:443/callback', 'http://app.example.net/callback', 'https://user@app.example.net/callback',
	'https://app.example.net@evil.example.edu/callback', `${app}/%63allback`, `${app}//callback`, `${app}/x/../callback`, 'https://x.app.example.net/callback',
	'https://app.example.net.evil.example.edu/callback', 'https://evil.example.edu/callback', '//app.example.net/callback', 'javascript:alert(1)', 'data:text/html,x',
	`${app}/callback `, 'https://app.example.net\\@evil.example.edu/callback', 'https://xn--pp-sia.example.net/callback', '',
]

scenario('no answer goes to an address that is not registered', async (visit) => {
	const { page } = await visit()
	for (const redirect of elsewhere) {
		const query = new URLSearchParams({
			client_id: 'dashboard', redirect_uri: redirect, response_type: 'code', scope: 'openid', state: 'x', prompt: 'none',
			code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
		})
		const answer = await page.goto(`${issuer}/oauth2/authorize?${query}`)
		assert.ok(page.url().startsWith(`${issuer}/`), `${redirect}: at ${page.url()}`)
		assert.equal(answer.status(), 400, redirect)
		assert.equal(await page.locator('main a[href*="evil"]').count(), 0)
	}
})

// caught does a login up to the point where the code reaches the application,
// which is told to do nothing with it, and returns the address with the code.
async function caught({ page, context }, user, start, site) {
	await context.addCookies([{ name: 'hold', value: 'yes', domain: new URL(site).hostname, path: '/callback', secure: true }])
	await start(page)
	await login(page, user)
	await consents(page)
	await page.waitForURL((url) => url.origin === site && url.searchParams.has('code'))
	await context.clearCookies({ name: 'hold' })
	return new URL(page.url())
}

scenario('the code of another person is refused', async (visit) => {
	const [victim, attacker] = [await visit(), await visit()]
	await begin(attacker.page)
	await openApp(attacker.page)
	const url = await caught(victim, newcomer(), begin, app)
	// The application itself refuses an answer that it did not ask for.
	const answer = await attacker.page.evaluate((url) => window.app.redeem(url), url.href)
	assert.notEqual(answer.problem, undefined)
	// With the state of the attacker's own login, the server does.
	const { state } = await attacker.page.evaluate(() => window.app.flow())
	url.searchParams.set('state', state)
	const { problem } = await attacker.page.evaluate((url) => window.app.redeem(url), url.href)
	assert.equal(problem, 'invalid_grant')
	assert.equal(await who(attacker.page), 'nobody')
})

scenario('the code of another client is refused', async (visit) => {
	const [victim, attacker] = [await visit(), await visit()]
	await begin(attacker.page)
	await openApp(attacker.page)
	const { state } = await attacker.page.evaluate(() => window.app.flow())
	const url = await caught(victim, newcomer(), beginWeb, web) // Which is good for a minute.
	const injected = new URL(`${app}/callback?${new URLSearchParams({ code: url.searchParams.get('code'), state, iss: issuer })}`)
	const { problem } = await attacker.page.evaluate((url) => window.app.redeem(url), injected.href)
	assert.equal(problem, 'invalid_grant')
	// The code is still good for whom it was made.
	await victim.page.goto(url.href)
	await backWeb(victim.page)
	assert.equal(await who(victim.page), 'somebody')
})

scenario('a code is taken once, and its tokens end with the second try', async (visit) => {
	const visitor = await visit()
	const { page } = visitor
	const url = await caught(visitor, newcomer(), beginWeb, web)
	await page.goto(url.href)
	await backWeb(page)
	assert.equal(await who(page), 'somebody')
	await page.goto(url.href)
	const result = JSON.parse(await page.textContent('#result'))
	assert.ok(result.problem, JSON.stringify(result))
})
