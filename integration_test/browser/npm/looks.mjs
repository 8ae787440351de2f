// Every page, as it is seen: in two languages, light and dark, narrow and wide.
// axe-core looks for what keeps people out, and a picture is taken of each.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { app, issuer, scenario, web, world } from './visit.mjs'
import { america, back, begin, beginWeb, button, chooses, follows, login, openAccount, press, sees } from './steps.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const widths = [320, 768, 1280]
mkdirSync(world.pictures, { recursive: true })

// look takes the pictures of a page, and finds what is wrong with it.
async function look(page, name, language) {
	assert.equal(await page.getAttribute('html', 'lang'), language, name)
	const folded = await page.locator('details').count()
	if (folded > 0 && !name.endsWith('-unfolded')) {
		await page.evaluate(() => { for (const part of document.querySelectorAll('details')) part.open = true })
		await look(page, `${name}-unfolded`, language)
		await page.evaluate(() => { for (const part of document.querySelectorAll('details')) part.open = false })
	}
	for (const colorScheme of ['light', 'dark']) {
		await page.emulateMedia({ colorScheme })
		for (const width of widths) {
			await page.setViewportSize({ width, height: 720 })
			const wide = await page.evaluate(() => document.documentElement.scrollWidth)
			assert.ok(wide <= width, `${name}: ${wide} px wide at ${width}`)
			await page.screenshot({ path: `${world.pictures}/${name}-${language}-${colorScheme}-${width}.png`, fullPage: true })
			if (width === 768) continue
			const { violations, incomplete } = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations', 'incomplete'] })`)
			const told = [...violations, ...incomplete.filter(({ id }) => id === 'color-contrast')]
				.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html).join(' ')}`)
			assert.deepEqual(told, [], `${name}, ${language}, ${colorScheme}, ${width} px`)
		}
	}
	await page.emulateMedia({ colorScheme: 'light' })
	await page.setViewportSize({ width: 1280, height: 720 })
}

for (const [language, locale, one, other] of [['en', 'en-GB', 'alice', 'carol'], ['de', 'de-DE', 'anna', 'clara']]) {
	scenario(`the pages in ${language}`, async (visit) => {
		const { page } = await visit({ locale })
		await begin(page)
		await sees(page, 'login')
		await look(page, 'login', language)
		await login(page, one, 'not the password of anybody')
		await sees(page, 'login')
		await look(page, 'login-problem', language)
		await login(page, one)
		await sees(page, 'organization')
		await look(page, 'organizations', language)
		await chooses(page, 'acme')
		await sees(page, 'consent')
		await page.uncheck(america)
		await look(page, 'consent', language)
		await press(page, 'consent')
		await back(page)

		await beginWeb(page, { orgId: 'acme' })
		await sees(page, 'consent')
		await look(page, 'consent-web', language)
		await press(page, 'consent')
		await page.waitForURL((url) => url.origin === web)

		await openAccount(page)
		await look(page, 'account', language)
		await follows(page, `li:first-child > form ${button('revoke')}`)
		await look(page, 'account-revoked', language)
		await page.goto(`${issuer}/oauth2/logout`)
		await look(page, 'logout', language)
		await follows(page, 'main form button')
		await look(page, 'logged-out', language)
	})

	scenario(`the pages of errors in ${language}`, async (visit) => {
		const { page, context } = await visit({ locale })
		const show = async (name, address) => {
			await page.goto(address)
			await look(page, `failure-${name}`, language)
		}
		const request = (more) => `${issuer}/oauth2/authorize?${new URLSearchParams({ response_type: 'code', client_id: 'dashboard', ...more })}`
		await show('client', request({ client_id: 'nobody', redirect_uri: `${app}/callback` }))
		await show('redirect', request({ redirect_uri: 'https://evil.example.edu/' }))
		await show('transaction', `${issuer}/oauth2/authorize?transaction=nothing`)
		await show('callback', `${issuer}/oauth2/callback/company?state=x&code=y`)
		await show('logout', `${issuer}/oauth2/logout?id_token_hint=x`)

		// A step that is over: the page of another tab was faster.
		await begin(page)
		await sees(page, 'login')
		const late = await context.newPage()
		await late.goto(page.url())
		await sees(late, 'login')
		await login(page, other)
		await sees(page, 'consent')
		await login(late, other)
		await late.waitForSelector('[role="alert"]')
		await look(late, 'failure-step', language)

		const stranger = await visit({ locale })
		await stranger.page.goto(page.url())
		await look(stranger.page, 'failure-browser', language)
		await press(page, 'deny')
		await back(page)
	})
}
