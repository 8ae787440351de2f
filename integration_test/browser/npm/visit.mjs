// A browser and the people who use it. Each scenario gets a browser of its own
// (a context: cookies and nothing else in common), and at its end no page of the
// server may have said anything on the console.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'

export const world = JSON.parse(process.env.WORLD)
export const issuer = 'https://auth.example.com'
export const app = 'https://app.example.net'
export const web = 'https://web.example.org'
export const evil = 'https://evil.example.edu'
export const neighbour = 'https://blog.example.com' // the same site as the issuer, another origin
export const shop = 'https://shop.example.com'
export const reports = 'https://reports.example.com'
export const { password } = world
// patience bounds, in milliseconds, what may take long on a slow and busy machine.
export const patience = 60_000

let chrome
before(async () => {
	const rules = Object.entries(world.addresses).filter(([name]) => name !== 'localhost').map(([name, address]) => `MAP ${name}:443 ${address}`)
	chrome = await chromium.launch({
		timeout: patience,
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: [
			'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync', '--lang=en',
			`--host-resolver-rules=${rules.join(', ')}`, `--ignore-certificate-errors-spki-list=${world.keyHash}`,
		],
	})
})
after(() => chrome.close())

// control asks the tests in Go for what an operator does.
export async function control(act, body) {
	const answer = await fetch(`${world.control}/${act}`, { method: 'POST', body: JSON.stringify(body ?? {}) })
	assert.equal(answer.status, 200, `${act}: ${answer.status === 200 || await answer.text()}`)
	return answer.json()
}

const taken = { one: 0, two: 0 }

// newcomer is a user that no other scenario of this script has: of one
// organization, or of two.
export const newcomer = (orgs = 1) => {
	const kind = orgs === 1 ? 'one' : 'two'
	return `${kind}-${taken[kind]++}`
}

// scenario is a test with people; each of them has a browser of their own.
export function scenario(name, act) {
	const only = process.env.ONLY
	test(name, { timeout: 5 * patience, skip: only ? !new RegExp(only).test(name) : false }, async () => {
		const visitors = []
		const secrets = {}
		const visit = async (options = {}) => {
			const visitor = await arrive(options, secrets)
			visitors.push(visitor)
			return visitor
		}
		try {
			await act(visit)
			for (const { faults } of visitors) assert.deepEqual(faults, [])
		} catch (err) {
			for (const [i, { pages }] of visitors.entries()) {
				for (const page of pages()) {
					const text = await page.innerText('body', { timeout: 1000 }).catch(() => '')
					console.error(`${name}: browser ${i} is at ${page.url()}:\n${text}`)
				}
			}
			throw err
		} finally {
			for (const { context } of visitors) {
				for (const { name, value } of await context.cookies().catch(() => [])) secrets[value] = `the cookie ${name}`
				await context.close()
			}
			await control('secret', secrets)
		}
	})
}

// arrive opens a browser for one person, and watches what the server's pages
// say and which secrets pass.
async function arrive(options, secrets) {
	const context = await chrome.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options })
	context.setDefaultTimeout(patience)
	const [faults, expected] = [[], []] // What was said on the console, and what may be said there.
	context.on('console', (message) => {
		const text = message.text()
		const { url } = message.location()
		if (!['error', 'warning'].includes(message.type())) return
		// A page that is an error has a status that says so.
		if (text.startsWith('Failed to load resource: the server responded with a status of')) return
		if (expected.some((pattern) => pattern.test(text))) return
		if (url.startsWith(issuer) || message.page()?.url().startsWith(issuer)) faults.push(`${url}: ${text}`)
	})
	context.on('weberror', (error) => faults.push(`${error.page()?.url()}: ${error.error().stack}`))
	context.on('response', async (response) => {
		const headers = await response.allHeaders().catch(() => ({}))
		for (const line of (headers['set-cookie'] ?? '').split('\n')) {
			const [, name, value] = line.match(/^([^=]+)=([^;]+)/) ?? []
			if (value) secrets[value] = `the cookie ${name}`
		}
		const code = headers.location && URL.canParse(headers.location) && new URL(headers.location).searchParams.get('code')
		if (code) secrets[code] = 'a code'
		if (response.url() === `${issuer}/oauth2/token`) {
			const body = await response.json().catch(() => ({}))
			for (const kind of ['access_token', 'refresh_token', 'id_token']) if (body[kind]) secrets[body[kind]] = kind
		}
	})
	const page = await context.newPage()
	return { context, page, faults, expected, pages: () => context.pages() }
}
