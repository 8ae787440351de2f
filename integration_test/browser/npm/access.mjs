// Everything works without a mouse, and without JavaScript.
import assert from 'node:assert/strict'
import { issuer, newcomer, password, reports, scenario, shop, web, world } from './visit.mjs'
import { america, back, backWeb, begin, beginWeb, button, call, callWeb, chooses, consents, follows, loggedIn, login, openAccount, press, sees, who } from './steps.mjs'

// tabTo moves the focus to an element, as a keyboard does. Wherever it stands on
// its way, it can be seen.
async function tabTo(page, selector) {
	for (let i = 0; i < 60; i++) {
		await page.keyboard.press('Tab')
		const at = await page.evaluate((selector) => {
			const element = document.activeElement
			if (!element || element === document.body) return { name: 'body' }
			const style = getComputedStyle(element)
			return {
				name: element.outerHTML.slice(0, 200), here: element.matches(selector),
				outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && style.outlineColor !== 'rgba(0, 0, 0, 0)',
			}
		}, selector)
		if (at.name === 'body') continue
		assert.ok(at.outlined, `the focus cannot be seen: ${at.name}`)
		if (at.here) return
	}
	throw new Error(`the keyboard does not reach ${selector}`)
}

// enter does what Enter does to a button.
async function enter(page, selector) {
	await tabTo(page, selector)
	await page.keyboard.press('Enter')
}

// enters waits for the page that comes of it.
async function enters(page, selector) {
	const gone = page.waitForEvent('framenavigated')
	await enter(page, selector)
	await gone
	await page.waitForLoadState()
}

// typeLogin logs in.
async function typeLogin(page, user) {
	await sees(page, 'login')
	// The cursor stands in the field, or gets there.
	const ready = await page.evaluate(() => document.activeElement?.name === 'username')
	if (!ready) await tabTo(page, 'input[name="username"]')
	await page.keyboard.type(user)
	await tabTo(page, 'input[name="password"]')
	await page.keyboard.type(password)
	await page.keyboard.press('Enter')
}

scenario('the keyboard alone: login, organization, consent', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await typeLogin(page, newcomer(2))
	await sees(page, 'organization')
	await tabTo(page, 'input[type="radio"]')
	for (let i = 0; i < 3 && !await page.isChecked('input[type="radio"][value="acme"]'); i++) {
		await page.keyboard.press(i === 0 ? 'Space' : 'ArrowDown')
	}
	assert.ok(await page.isChecked('input[type="radio"][value="acme"]'))
	await enter(page, button('organization'))
	await sees(page, 'consent')
	await tabTo(page, america)
	await page.keyboard.press('Space')
	assert.equal(await page.isChecked(america), false)
	await enter(page, button('consent'))
	await back(page)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	assert.equal((await call(page, `${reports}/reports/acme/1`)).status, 200)
})

scenario('Enter in the password logs in, and does not deny', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await typeLogin(page, newcomer())
	await sees(page, 'consent')
})

scenario('the keyboard alone: deny', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await typeLogin(page, newcomer())
	await sees(page, 'consent')
	await enter(page, button('deny'))
	assert.equal((await back(page)).problem, 'access_denied')
})

scenario('the keyboard alone: to another provider', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	await enter(page, 'a[href*="provider="]')
	await page.waitForURL((url) => url.origin === world.provider)
})

scenario('the keyboard alone: the account and logout', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer())
	await openAccount(page)
	await enters(page, button('revoke'))
	assert.equal(await page.locator(button('revoke')).count(), 0)
	await enters(page, button('logout'))
	await page.goto(`${issuer}/oauth2/account`)
	await sees(page, 'login')

	await typeLogin(page, newcomer())
	await page.waitForSelector(button('logout'))
	await page.goto(`${issuer}/oauth2/logout`)
	await enters(page, 'main form button')
	await openAccount(page)
	await sees(page, 'login')
})

scenario('without JavaScript: login, organization, consent, the account, logout', async (visit) => {
	const { page } = await visit({ javaScriptEnabled: false })
	const user = newcomer(2)
	await beginWeb(page)
	await login(page, user, 'not the password of anybody')
	await sees(page, 'login')
	await login(page, user)
	await sees(page, 'organization')
	await chooses(page, 'acme')
	await consents(page, america)
	await backWeb(page)
	assert.equal(await who(page), 'somebody')
	assert.equal((await callWeb(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	assert.equal((await callWeb(page, `${shop}/orders/eu/1`)).status, 200)
	await openAccount(page)
	await press(page, 'revoke')
	assert.equal((await callWeb(page, `${shop}/orders/eu/1`)).status, 401)
	await page.goto(`${web}/logout`)
	if (page.url().startsWith(issuer)) await page.click('main form button')
	await page.waitForURL((url) => url.origin === web)
	await openAccount(page)
	await sees(page, 'login')
})

scenario('no page has a script, and each has a title, a language and a heading', async (visit) => {
	const { page } = await visit()
	const check = async () => {
		const facts = await page.evaluate(() => ({
			scripts: document.scripts.length, lang: document.documentElement.lang, h1: document.querySelectorAll('h1').length,
			title: document.title, handlers: [...document.querySelectorAll('*')].filter((e) => e.getAttributeNames().some((n) => n.startsWith('on'))).length,
		}))
		assert.deepEqual({ ...facts, title: facts.title.length > 3 }, { scripts: 0, lang: 'en', h1: 1, title: true, handlers: 0 })
	}
	await begin(page)
	await sees(page, 'login')
	await check()
	assert.equal(await page.getAttribute('input[name="username"]', 'autocomplete'), 'username')
	assert.equal(await page.getAttribute('input[name="password"]', 'autocomplete'), 'current-password')
	await login(page, newcomer(2))
	await sees(page, 'organization')
	await check()
	await chooses(page, 'acme')
	await sees(page, 'consent')
	await check()
	await consents(page)
	await back(page)
	await openAccount(page)
	await check()
	await page.goto(`${issuer}/oauth2/logout`)
	await check()
	await follows(page, 'main form button')
	await check()
	await page.goto(`${issuer}/oauth2/authorize?client_id=nobody`)
	await check()
})
