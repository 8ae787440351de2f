import assert from 'node:assert/strict'
import { newcomer, scenario } from './visit.mjs'
import { begin, login, sees } from './steps.mjs'

scenario('who guesses passwords has to wait, and is told so', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	const wrong = 'not the password of anybody'
	let told = ''
	for (let i = 0; i < 30 && !/wait|too many|again in/i.test(told); i++) {
		await login(page, user, `${wrong} ${i}`)
		await sees(page, 'login')
		told = await page.innerText('[role="alert"]')
	}
	assert.match(told, /[0-9]/)
	// The right password does not help meanwhile: that would tell it.
	await login(page, user)
	await sees(page, 'login')
	assert.equal(await page.inputValue('input[name="username"]'), user)
})
