import assert from 'node:assert/strict'
import { newcomer, scenario } from './visit.mjs'
import { begin, follows, login } from './steps.mjs'

const told = (page) => page.innerText('[role="alert"]')

// guesses types wrong passwords until the page says to wait, and returns the time
// until which that is so, at least.
async function guesses(page, user) {
	for (let i = 0; i < 30; i++) {
		const begun = Date.now()
		const posted = page.waitForResponse((r) => r.request().method() === 'POST')
		await login(page, user, `not the password of anybody ${i}`)
		const [answer, text] = [await posted, await told(page)]
		assert.equal(answer.status(), /wait/i.test(text) ? 429 : 400, text)
		if (answer.status() === 429) {
			assert.match(text, /wait [0-9]+ (second|minute)/i)
			return begun + (Number(answer.headers()['retry-after']) - 1) * 1000 // Which is rounded up.
		}
	}
	assert.fail('somebody guesses as often as they like')
}

scenario('who guesses passwords has to wait, and is told so', async (visit) => {
	for (let waits = false; !waits;) {
		const { page } = await visit()
		const user = newcomer()
		await begin(page)
		const end = await guesses(page, user)
		// The right password does not help meanwhile: that would tell that it is right.
		if (await page.locator('main a.main').count() > 0) await follows(page, 'main a.main')
		await login(page, user)
		waits = Date.now() < end // Else this machine was too slow to tell.
		if (waits) assert.match(await told(page), /wait/i)
	}
})
