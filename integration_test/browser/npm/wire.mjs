// Requests that no browser would send: with any header, cookie and order.
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { world } from './visit.mjs'

const ca = readFileSync(world.certificate)

// send makes one request and follows nothing. form is sent as a form.
export function send(method, url, { headers = {}, form, cookies = [] } = {}) {
	const { hostname, pathname, search } = new URL(url)
	const [host, port] = world.addresses[hostname].split(':')
	const body = form ? new URLSearchParams(form).toString() : undefined
	return new Promise((resolve, reject) => {
		const request = https.request({
			method, host, port, path: pathname + search, ca, servername: hostname, agent: false,
			headers: {
				Host: hostname,
				...(body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) }),
				...(cookies.length ? { Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') } : {}),
				...headers,
			},
		}, async (answer) => {
			let text = ''
			for await (const part of answer.setEncoding('utf8')) text += part
			resolve({ status: answer.statusCode, headers: answer.headers, location: answer.headers.location ?? '', body: text })
		})
		request.on('error', reject)
		request.end(body)
	})
}
