import assert from 'node:assert/strict'
import { app, backAtApp, call, login, loginAtApp, newcomer, press, scenario, shop, who } from './visit.mjs'

scenario('login, consent, and the API', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await loginAtApp(page)
	await login(page, user)
	await press(page, 'consent')
	await backAtApp(page)
	assert.equal(await who(page), `example.com:${user}`)
	assert.deepEqual(await call(page, `${shop}/orders/eu/7`), { status: 200, reached: 'GET /orders/eu/7' })
})
