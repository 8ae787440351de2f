// Applications that show nothing where the answer arrives, and send the browser
// on at once: docs/login.md says how far it gets.
import assert from 'node:assert/strict'
import { app, evil, issuer, newcomer, scenario, web } from './visit.mjs'
import { button, consents, fillIn, login, press, refused, sees } from './steps.mjs'

// Where the answer arrives, and the hosts that it goes on to from there.
const [once, twice, away, awayLater] = ['app.example.net', 'app.example.net/web.example.org', 'evil.example.edu', 'app.example.net/evil.example.edu'].map((hosts) => `${web}/onward/${hosts}`)

const begin = (page, redirect, parameters = {}) => page.goto(`${issuer}/oauth2/authorize?${new URLSearchParams({
	client_id: 'portal', redirect_uri: redirect, response_type: 'code', state: 's', orgId: 'acme',
	code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...parameters,
})}`)

const arrives = (page, at) => page.waitForURL((url) => url.href === `${at}/`)

// isBlocked lets a person do something after which the browser stays where it is,
// and says why.
async function isBlocked({ page, expected }, act) {
	expected.push(/form-action/)
	const said = page.waitForEvent('console', (message) => message.text().includes('form-action'))
	await act()
	await said
	assert.ok(page.url().startsWith(`${issuer}/`), page.url())
}

scenario('Allow, a remembered consent and Deny go on to an origin of the client', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page, once)
	await login(page, user)
	await consents(page)
	await arrives(page, app)
	// From the page with the password straight to the application, without another page.
	await begin(page, once, { prompt: 'login' })
	await login(page, user)
	await arrives(page, app)
	await begin(page, once, { prompt: 'login' })
	await press(page, 'deny')
	await arrives(page, app)
})

scenario('twice', async (visit) => {
	const { page } = await visit()
	await begin(page, twice)
	await login(page, newcomer())
	await consents(page)
	await arrives(page, web)
})

for (const [name, redirect] of Object.entries({ 'at once': away, 'after another': awayLater })) {
	scenario(`an origin that the client does not name is not reached, ${name}`, async (visit) => {
		const visitor = await visit()
		const { page } = visitor
		const user = newcomer()
		await begin(page, redirect)
		await login(page, user)
		await sees(page, 'consent')
		const given = page.waitForEvent('request', (request) => request.url().startsWith(`${redirect}?`))
		await isBlocked(visitor, () => page.click(button('consent')))
		// The application has its answer, and a second one is not given.
		assert.ok(new URL((await given).url()).searchParams.has('code'))
		await press(page, 'consent')
		await refused(page, 'step_expired')
		// It is no different with the next login, which asks for no consent. Without a
		// form the browser goes wherever the application sends it.
		await begin(page, redirect, { prompt: 'login' })
		await fillIn(page, user)
		await isBlocked(visitor, () => page.click(button('login')))
		await begin(page, redirect)
		await arrives(page, evil)
	})
}

scenario('a form that somebody planted leads no further', async (visit) => {
	const visitor = await visit()
	const { page } = visitor
	const plant = async (action) => {
		await begin(page, once)
		await sees(page, 'login')
		await page.evaluate((action) => { document.body.innerHTML = `<form action="${action}"><input name="password" value="typed"><button>Log in</button></form>` }, action)
	}
	for (const action of [`${evil}/`, away, awayLater]) {
		await plant(action)
		// A form that goes nowhere is no navigation that ends.
		await isBlocked(visitor, () => page.click('button', { noWaitAfter: true }))
	}
	// Among the origins of the client it does.
	await plant(`${app}/`)
	await page.click('button')
	await page.waitForURL(`${app}/?password=typed`)
})

scenario('the scheme of an app', async (visit) => {
	const { page } = await visit()
	await begin(page, 'com.example.portal:/callback')
	await login(page, newcomer())
	await sees(page, 'consent')
	const given = page.waitForEvent('request', (request) => request.url().startsWith('com.example.portal:/callback?'))
	await page.click(button('consent'))
	assert.ok(new URL((await given).url()).searchParams.has('code'))
})

scenario('logout goes where it was asked to, and no further', async (visit) => {
	const visitor = await visit()
	const { page } = visitor
	for (const [to, act] of [[`${app}/`, (leave) => leave().then(() => arrives(page, app))], [once, (leave) => isBlocked(visitor, leave)]]) {
		await begin(page, once, { prompt: 'login consent' })
		await login(page, newcomer())
		await consents(page)
		await arrives(page, app)
		await page.goto(`${issuer}/oauth2/logout?${new URLSearchParams({ client_id: 'portal', post_logout_redirect_uri: to })}`)
		await act(() => page.click('main button'))
		await begin(page, once)
		await sees(page, 'login')
	}
})
