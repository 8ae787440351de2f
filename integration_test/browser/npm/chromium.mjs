// What Chromium does that the pages rely on.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before } from 'node:test'
import { scenario } from './visit.mjs'

// Two origins: a page with a form and a policy, and where its answer leads.
let [form, target] = [null, null]
let policy = ''
const port = (server) => server.address().port
before(async () => {
	form = http.createServer((request, answer) => {
		if (request.method === 'POST') return answer.writeHead(303, { Location: `http://localhost:${port(target)}/back` }).end()
		answer.setHeader('Content-Type', 'text/html').setHeader('Content-Security-Policy', `form-action 'self' ${policy}`)
		if (request.url === '/cookies') answer.setHeader('Set-Cookie', '__Host-kept=yes; Secure; HttpOnly; SameSite=Lax; Path=/')
		answer.end(`<!doctype html><p>${request.headers.cookie ?? 'none'}</p><form method=post><button>Allow</button></form>`)
	})
	target = http.createServer((request, answer) => answer.end('arrived'))
	for (const server of [form, target]) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
})
after(() => {
	form.close()
	target.close()
})

scenario('__Host- cookies are kept without https on this machine', async (visit) => {
	for (const host of ['localhost', '127.0.0.1', 'auth.localhost']) {
		const { page } = await visit()
		await page.goto(`http://${host}:${port(form)}/cookies`)
		await page.goto(`http://${host}:${port(form)}/`)
		assert.equal(await page.textContent('p'), '__Host-kept=yes', host)
	}
})

scenario('form-action holds for where the answer leads', async (visit) => {
	const { page } = await visit()
	policy = ''
	await page.goto(`http://127.0.0.1:${port(form)}/`)
	const blocked = page.waitForEvent('console', (message) => message.text().includes('form-action'))
	await page.click('button')
	await blocked
	assert.ok(!page.url().includes('/back'), page.url())

	policy = `http://localhost:${port(target)}`
	await page.goto(`http://127.0.0.1:${port(form)}/`)
	await page.click('button')
	await page.waitForURL('**/back')
	assert.equal(await page.textContent('body'), 'arrived')
})
