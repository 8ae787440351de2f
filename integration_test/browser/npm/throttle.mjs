import assert from 'node:assert/strict'
import { newcomer, scenario } from './visit.mjs'
import { begin, follows, login } from './steps.mjs'

scenario('who guesses passwords has to wait, and is told so', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	const wrong = 'not the password of anybody'
	let told = ''
	for (let i = 0; i < 30 && !/wait/i.test(told); i++) {
		const answer = page.waitForResponse((r) => r.request().method() === 'POST')
		await login(page, user, `${wrong} ${i}`)
		const status = (await answer).status()
		await page.waitForSelector('[role="alert"]')
		told = await page.innerText('[role="alert"]')
		assert.equal(status, /wait/i.test(told) ? 429 : 400, told)
	}
	assert.match(told, /wait [0-9]+ (second|minute)/i)
	// The right password does not help meanwhile: that would tell that it is right.
	if (await page.locator('main a.main').count() > 0) await follows(page, 'main a.main')
	await login(page, user)
	await page.waitForSelector('[role="alert"]')
	assert.match(await page.innerText('[role="alert"]'), /wait/i)
})
