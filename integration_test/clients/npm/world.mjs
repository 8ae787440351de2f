// What the scripts of this folder share: where the server is, and what a
// browser and an API would do.
import assert from 'node:assert/strict'

export const { ISSUER: issuer, SHOP: shop, CLIENT_SECRET: secret, ROBOT_KEY: robotKey } = process.env
export const callback = 'https://web.example.com/callback'

// browse goes to the URL of an authorization request as alice does, who logs in and
// agrees to all that is asked for. It returns the URL with which the browser comes
// back to the client. ../../browser has tests with a real browser.
export async function browse(authorize) {
	const cookies = new Map()
	const open = async (address, form) => {
		const answer = await fetch(address, {
			method: form ? 'POST' : 'GET', body: form, redirect: 'manual',
			headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
		})
		for (const cookie of answer.headers.getSetCookie()) cookies.set(...cookie.split(';')[0].split('=', 2))
		const to = answer.headers.get('location')
		return { page: await answer.text(), to: to && new URL(to, issuer) }
	}
	let { page, to } = await open(authorize)
	for (let turns = 0; turns < 10; turns++) {
		if (to && to.origin !== new URL(issuer).origin) return to
		const step = page.includes('name="password"') ? 'login' : 'consent'
		if (to) ({ page, to } = await open(to))
		else ({ page, to } = await open(`${issuer}/oauth2/authorize`, filledIn(page, step)))
	}
	assert.fail('the browser did not come back to the client')
}

// filledIn is what a browser sends of a page's form as it stands, with a button.
function filledIn(page, step) {
	const form = new URLSearchParams({ step, ...(step === 'login' ? { username: 'alice', password: 'alice likes tea' } : {}) })
	for (const [tag] of page.matchAll(/<input [^>]*>/g)) {
		const has = Object.fromEntries([...tag.matchAll(/ ([a-z]+)(?:="([^"]*)")?/g)].map(([, name, value]) => [name, value ?? '']))
		if (has.type === 'hidden' || (['checkbox', 'radio'].includes(has.type) && 'checked' in has && !('disabled' in has))) form.append(has.name, has.value.replaceAll('&#43;', '+').replaceAll('&amp;', '&'))
	}
	return form
}

// reads uses an access token at the API behind the guard.
export async function reads(accessToken, want = 200) {
	const answer = await fetch(`${shop}/orders/7`, { headers: { Authorization: `Bearer ${accessToken}` } })
	assert.equal(answer.status, want)
	await answer.text()
}

export function claimsOf(token) {
	return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
}

// What fails is told without the objects of the HTTP client, which are long and
// hold secrets.
process.on('uncaughtException', (err) => {
	for (; err instanceof Error; err = err.cause) console.error(err.stack, err.code ?? '', err.error ?? '')
	process.exit(1)
})
