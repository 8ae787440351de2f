// What an attacker can do with a browser, and with what a browser sends.
import assert from 'node:assert/strict'
import { app, evil, issuer, neighbour, newcomer, scenario, web } from './visit.mjs'
import { back, backWeb, begin, beginWeb, button, consents, loggedIn, login, openAccount, openApp, refused, sees, who } from './steps.mjs'
import { send } from './wire.mjs'

const sessionName = '__Host-scopegate-session'
const browserName = '__Host-scopegate-browser'
const ours = async (context) => (await context.cookies(issuer)).filter(({ name }) => name.startsWith('__Host-scopegate'))
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

// fields are what the form of a page would send.
const fields = (page) => page.$eval('main form', (form) => Object.fromEntries([...new FormData(form)]))

for (const [name, open] of Object.entries(places)) {
	scenario(`framing: the ${name} page stays out of a frame`, async (visit) => {
		const visitor = await visit()
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
		// The browser says on its console that it obeyed.
		visitor.faults.splice(0, Infinity, ...visitor.faults.filter((fault) => !/frame-ancestors|X-Frame-Options/i.test(fault)))
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
		let { status, location } = await forged(context, site, `${issuer}/oauth2/authorize`, { ...await fields(page), username: user, password: 'correct horse battery staple', step: 'login' })
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

scenario('the address of a step is no good in another browser', async (visit) => {
	const [mine, other] = [await visit(), await visit()]
	await begin(mine.page)
	await sees(mine.page, 'login')
	const answer = await other.page.goto(mine.page.url())
	assert.ok(answer.status() >= 400, `got ${answer.status()}`)
	assert.equal(await other.page.locator('input[name="password"]').count(), 0)

	// Nor is it where somebody else is logged in.
	await login(mine.page, newcomer())
	await sees(mine.page, 'consent')
	await loggedIn(other.page, newcomer())
	const again = await other.page.goto(mine.page.url())
	assert.ok(again.status() >= 400, `got ${again.status()}`)
	assert.equal(await other.page.locator(button('consent')).count(), 0)

	// And what the form sends is not taken from there.
	const cookies = await ours(other.context)
	const { status, location } = await send('POST', `${issuer}/oauth2/authorize`, {
		cookies, form: { ...await fields(mine.page), step: 'consent' }, headers: { Origin: issuer, 'Sec-Fetch-Site': 'same-origin' },
	})
	assert.ok(status >= 400 && !location.includes('code='), `${status} ${location}`)
	await consents(mine.page)
	assert.equal((await back(mine.page)).problem, undefined)
})

scenario('a consent that was sent is not taken again', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	const user = newcomer()
	const sent = []
	page.on('request', (request) => { if (request.method() === 'POST' && request.url().startsWith(issuer)) sent.push(request) })
	await login(page, user)
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
	const forms = sent.filter((r) => r.url().includes('/oauth2/authorize')).map((r) => r.postData())
	assert.equal(forms.length, 2)
	const cookies = await ours(context)
	for (const text of [...forms, forms[1]].reverse()) {
		const { status, location, body } = await send('POST', `${issuer}/oauth2/authorize`, {
			cookies, form: text, headers: { Origin: issuer, 'Sec-Fetch-Site': 'same-origin' },
		})
		assert.ok(status >= 400 && location === '', `${status} ${location}`)
		assert.ok(!body.includes('code='))
	}
})

scenario('steps out of their order', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	await sees(page, 'login')
	const form = await fields(page)
	const post = async (more) => send('POST', `${issuer}/oauth2/authorize`, {
		cookies: await ours(context), form: { ...form, ...more }, headers: { Origin: issuer, 'Sec-Fetch-Site': 'same-origin' },
	})
	for (const step of ['consent', 'organization', 'revoke', '']) {
		const { status, location } = await post({ step })
		assert.ok(status >= 400 && location === '', `step ${step}: ${status} ${location}`)
	}
	await login(page, newcomer(2))
	await sees(page, 'organization')
	for (const more of [{ step: 'consent' }, { step: 'login', username: 'bob', password: 'correct horse battery staple' }]) {
		const { status, location } = await post(more) // With the turn of the login page.
		assert.ok(status >= 400 && location === '', `${more.step}: ${status} ${location}`)
	}
	Object.assign(form, await fields(page))
	for (const more of [{ step: 'consent' }, { step: 'organization', organization: 'initech', org: 'initech' }]) {
		const { status, location } = await post(more)
		assert.ok(status >= 400 && location === '', `${more.step}: ${status} ${location}`)
	}
})

scenario('a consent to more than the page had', async (visit) => {
	const { page, context } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	const form = new URLSearchParams({ ...await fields(page), step: 'consent' })
	form.append('grant', 'shop/orders.write orders/us/**')
	const { status, location } = await send('POST', `${issuer}/oauth2/authorize`, {
		cookies: await ours(context), form, headers: { Origin: issuer, 'Sec-Fetch-Site': 'same-origin' },
	})
	assert.ok(!location.startsWith(app), location)
	assert.ok(status >= 300, String(status))
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
	const url = await caught(victim, newcomer(), begin, app)
	await openApp(attacker.page)
	await begin(attacker.page)
	await openApp(attacker.page)
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
	const url = await caught(victim, newcomer(), beginWeb, web)
	await begin(attacker.page)
	await openApp(attacker.page)
	const { state } = await attacker.page.evaluate(() => window.app.flow())
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
