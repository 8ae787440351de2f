// What Chromium does that the pages rely on.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before } from 'node:test'
import { scenario } from './visit.mjs'

// Three origins: a page with a form and a policy, where its answer leads, and
// where that leads by a redirect or by a page of its own.
let [form, target, further] = [null, null, null]
let policy = ''
let back = '/back'
const port = (server) => server.address().port
before(async () => {
	form = http.createServer((request, answer) => {
		if (request.method === 'POST') return answer.writeHead(303, { Location: `http://localhost:${port(target)}${back}` }).end()
		answer.setHeader('Content-Type', 'text/html').setHeader('Content-Security-Policy', `form-action 'self' ${policy}`)
		if (request.url === '/cookies') answer.setHeader('Set-Cookie', '__Host-kept=yes; Secure; HttpOnly; SameSite=Lax; Path=/')
		answer.end(`<!doctype html><p>${request.headers.cookie ?? 'none'}</p><form method=post><button>Allow</button></form><a href="http://localhost:${port(target)}/on">Elsewhere</a>`)
	})
	target = http.createServer((request, answer) => {
		const next = `http://127.0.0.1:${port(further)}/further`
		switch (request.url) {
		case '/twice': return answer.writeHead(303, { Location: '/on' }).end()
		case '/on': return answer.writeHead(303, { Location: next }).end()
		case '/page': return answer.setHeader('Content-Type', 'text/html').end(`<!doctype html><meta http-equiv="refresh" content="0;url=${next}">`)
		}
		answer.end('arrived')
	})
	further = http.createServer((request, answer) => answer.end('further'))
	for (const server of [form, target, further]) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
})
after(() => {
	for (const server of [form, target, further]) server.close()
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

// What docs/login.md tells those who write applications.
scenario('form-action holds for every redirect after that, and not for what a page or a link does', async (visit) => {
	const { page } = await visit()
	const open = () => page.goto(`http://127.0.0.1:${port(form)}/`)
	policy = `http://localhost:${port(target)}`
	for (back of ['/on', '/twice']) {
		await open()
		const blocked = page.waitForEvent('console', (message) => message.text().includes('form-action'))
		await page.click('button')
		await blocked
		assert.ok(!page.url().includes('/further'), page.url())
	}
	back = '/page'
	await open()
	await page.click('button')
	await page.waitForURL('**/further')

	policy = `http://localhost:${port(target)} http://127.0.0.1:${port(further)}`
	back = '/twice'
	await open()
	await page.click('button')
	await page.waitForURL('**/further')

	policy = ''
	await open()
	await page.click('a')
	await page.waitForURL('**/further')
})
