// What people do, one step after the other. Each function waits for what comes
// after its step.
import assert from 'node:assert/strict'
import { app, issuer, password, web } from './visit.mjs'

export const button = (step) => `button[name="step"][value="${step}"]`

// follows clicks on what leads to another page, and waits for that: a page that is
// still there would be taken for the next one.
export async function follows(page, selector) {
	const gone = page.waitForEvent('framenavigated')
	await page.click(selector)
	await gone
	await page.waitForLoadState()
}
export const press = (page, step) => follows(page, button(step))

// The boxes of the consent page that the tests untick.
export const europe = 'input[name="grant"][value="shop/orders.read orders/eu/**"]'
export const america = 'input[name="grant"][value="shop/orders.read orders/us/**"]'
export const writing = 'input[name="grant"][value="shop/orders.write orders/eu/**"]'
export const reading = 'input[name="grant"][value="reports/reports.read reports/acme/**"]'

// sees waits for the page with the button of a step.
export const sees = (page, step) => page.waitForSelector(button(step))

export async function openApp(page) {
	await page.goto(`${app}/`)
	await page.waitForSelector('body[data-ready]')
}

// begin lets an application send the browser to the server.
export async function begin(page, parameters = {}) {
	if (!page.url().startsWith(app)) await openApp(page)
	// A page is loaded before its module has awaited what it needs.
	await page.waitForSelector('body[data-ready]')
	const gone = page.waitForEvent('framenavigated')
	await page.evaluate((parameters) => { window.app.login(parameters) }, parameters)
	await gone
	await page.waitForLoadState()
}
export const beginWeb = (page, parameters = {}) => page.goto(`${web}/login?${new URLSearchParams(parameters)}`)

export async function fillIn(page, user, secret = password) {
	await page.fill('input[name="username"]', user)
	await page.fill('input[name="password"]', secret)
}

export async function login(page, user, secret = password) {
	await fillIn(page, user, secret)
	await press(page, 'login')
}

export async function chooses(page, org) {
	await page.check(`input[type="radio"][value="${org}"]`)
	await press(page, 'organization')
}

// consents agrees to all but the boxes that are named.
export async function consents(page, ...unticked) {
	await sees(page, 'consent')
	for (const box of unticked) await page.uncheck(box)
	await press(page, 'consent')
}

// back waits until the single-page application has redeemed the code, or was
// told no, and returns what it shows.
export async function back(page) {
	await page.waitForURL((url) => url.origin === app)
	await page.waitForSelector('body[data-ready]')
	return JSON.parse(await page.textContent('#result'))
}

// backWeb does so with the application on a server.
export async function backWeb(page) {
	await page.waitForURL((url) => url.origin === web)
	return JSON.parse(await page.textContent('#result'))
}

export const who = (page) => page.textContent('#who')

// call asks an API with the single-page application's token.
export const call = async (page, url) => JSON.parse(await page.evaluate(async (url) => JSON.stringify(await window.app.call(url)), url))
export const refresh = (page) => page.evaluate(() => window.app.refresh())
export const tokens = (page) => page.evaluate(() => window.app.tokens())

// callWeb asks an API with the token of the application on a server.
export async function callWeb(page, url) {
	await page.goto(`${web}/call?${new URLSearchParams({ url })}`)
	return JSON.parse(await page.textContent('#result'))
}

// loggedIn is somebody who has logged in at the single-page application and has
// agreed to everything but what is unticked.
export async function loggedIn(page, user, { parameters = {}, unticked = [] } = {}) {
	await begin(page, parameters)
	await login(page, user)
	await consents(page, ...unticked)
	const result = await back(page)
	assert.equal(result.problem, undefined, JSON.stringify(result))
	assert.equal(await who(page), `example.com:${user}`)
	return result
}

// openAccount opens the account page.
export const openAccount = (page) => page.goto(`${issuer}/oauth2/account`)

// refused wants a page that says why it does not go on.
export async function refused(page, reason) {
	const text = await page.textContent('main') // The reason stands in what can be unfolded.
	assert.ok(text.includes(reason), `got a page without ${reason}:\n${text}`)
}

// ours are the cookies of the server, and fields what the form of a page would
// send: with both, anything can be sent in the place of the browser.
export const ours = async (context) => (await context.cookies(issuer)).filter(({ name }) => name.startsWith('__Host-scopegate'))
export const fields = (page) => page.$eval('main form', (form) => Object.fromEntries([...new FormData(form)]))
