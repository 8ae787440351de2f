import assert from 'node:assert/strict'
import { control, newcomer, patience, reports, scenario, shop } from './visit.mjs'
import { america, back, backWeb, begin, beginWeb, button, call, callWeb, consents, europe, loggedIn, login, openAccount, press, refresh, refused, sees, who, writing } from './steps.mjs'

scenario('the page says what is asked for', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user)
	await sees(page, 'consent')
	const text = await page.innerText('main')
	for (const part of ['Order dashboard', 'app.example.net', 'orders/eu/**', 'orders/us/**', 'reports/acme/**']) {
		assert.ok(text.includes(part), `the page lacks ${part}:\n${text}`)
	}
	for (const box of await page.locator('input[type="checkbox"]').all()) assert.ok(await box.isChecked())
	const size = async (step) => {
		const { width, height } = await page.locator(`button[value="${step}"]`).boundingBox()
		const font = await page.locator(`button[value="${step}"]`).evaluate((b) => getComputedStyle(b).fontSize)
		return { width, height, font }
	}
	const [allow, deny] = [await size('consent'), await size('deny')]
	assert.equal(deny.font, allow.font)
	assert.equal(deny.height, allow.height)
	assert.ok(deny.width >= allow.width * 0.6, `${deny.width} and ${allow.width}`)
})

scenario('full consent', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer())
	for (const url of [`${shop}/orders/eu/1`, `${shop}/orders/us/1`, `${reports}/reports/acme/1`]) {
		assert.equal((await call(page, url)).status, 200, url)
	}
})

scenario('partial consent', async (visit) => {
	const { page } = await visit()
	await loggedIn(page, newcomer(), { unticked: [america, writing] })
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await call(page, `${reports}/reports/acme/1`)).status, 200)
	const refused = await call(page, `${shop}/orders/us/1`)
	assert.deepEqual([refused.status, refused.reason], [403, 'resource_missing'])
})

scenario('nothing but who somebody is', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user)
	await sees(page, 'consent')
	for (const box of await page.locator('input[name="grant"]').all()) if (await box.isEnabled()) await box.uncheck()
	await press(page, 'consent')
	await back(page)
	assert.equal(await who(page), `example.com:${user}`)
	const refused = await call(page, `${reports}/reports/acme/1`)
	assert.ok([401, 403].includes(refused.status), JSON.stringify(refused))
})

scenario('what the client needs cannot be unticked', async (visit) => {
	const { page } = await visit()
	await beginWeb(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	assert.equal(await page.isDisabled(europe), true)
	for (const box of await page.locator('input[name="grant"]').all()) if (await box.isEnabled()) await box.uncheck()
	await press(page, 'consent')
	await backWeb(page)
	assert.equal((await callWeb(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await callWeb(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
})

scenario('deny', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await login(page, newcomer())
	await sees(page, 'consent')
	await press(page, 'deny')
	assert.equal((await back(page)).problem, 'access_denied')
	assert.equal(await who(page), 'nobody')

	// Nothing is remembered of it.
	await begin(page)
	await sees(page, 'consent')
	await begin(page, { prompt: 'none' }).catch(() => {})
	assert.equal((await back(page)).problem, 'consent_required')
})

scenario('deny at the login page', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	await press(page, 'deny')
	assert.equal((await back(page)).problem, 'access_denied')
})

scenario('remembered consent', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await loggedIn(page, user, { unticked: [america] })
	await begin(page) // No page between.
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')

	await begin(page, { prompt: 'consent' })
	await sees(page, 'consent')
	await page.uncheck(america)
	await consents(page, writing)
	await back(page)
	await begin(page)
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')

	// Another application asks for itself.
	await beginWeb(page)
	await consents(page)
	await backWeb(page)
})

scenario('less is asked, and then as much as before', async (visit) => {
	const { page } = await visit()
	const less = JSON.stringify({ servicesScopes: [{ serviceDefinitionId: 'shop', permissions: [{ permissionId: 'orders.read', resources: ['orders/eu/**'] }] }] })
	await loggedIn(page, newcomer(), { parameters: { allowed_resource_scope: less } })
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	await begin(page, { allowed_resource_scope: less })
	assert.equal((await back(page)).problem, undefined)
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, 'consent_required')
	await begin(page) // More than before is asked for: nobody was asked about it.
	await consents(page)
	await back(page)
	assert.equal((await call(page, `${shop}/orders/us/1`)).status, 200)
})

scenario('a grant is revoked on the account page', async (visit) => {
	const { page, context } = await visit()
	await loggedIn(page, newcomer())
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	const account = await context.newPage()
	await openAccount(account)
	assert.ok((await account.innerText('main')).includes('Order dashboard'))
	await press(account, 'revoke')
	assert.equal(await account.locator('button[value="revoke"]').count(), 0)
	await account.reload()
	assert.equal(await account.locator('button[value="revoke"]').count(), 0)
	assert.ok(await account.locator('button[value="end-session"]').count() > 0)
	const gone = await call(page, `${shop}/orders/eu/1`)
	assert.deepEqual([gone.status, gone.reason], [401, 'token_revoked'])
	assert.equal((await refresh(page)).problem, 'invalid_grant')
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, 'consent_required')
	await begin(page)
	await consents(page)
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
})

scenario('a right is lost while its page is open', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user)
	await sees(page, 'consent')
	await control('edit', { User: user, From: 'shop/orders.read orders/eu/** orders/us/**', To: 'shop/orders.read orders/eu/**' })
	// The file is read a moment later; until then the page is as good as it was.
	const { page: other } = await visit()
	await begin(other, { prompt: 'consent' })
	await login(other, user)
	await sees(other, 'consent')
	for (const end = Date.now() + patience; await other.locator(america).count() > 0 && Date.now() < end;) {
		await other.waitForTimeout(100)
		await begin(other, { prompt: 'consent' })
		await sees(other, 'consent')
	}
	await press(page, 'consent')
	assert.ok((await page.innerText('[role="alert"]')).length > 10)
	assert.equal(await page.locator(america).count(), 0)
	await consents(page)
	await back(page)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
})

scenario('somebody is disabled at the consent page', async (visit) => {
	const { page } = await visit()
	const user = newcomer()
	await begin(page)
	await login(page, user)
	await sees(page, 'consent')
	await control('edit', { User: user, From: '"password_hash"', To: '"disabled":true,"password_hash"' })
	const { page: other } = await visit()
	await begin(other)
	await login(other, user)
	for (const end = Date.now() + patience; await other.locator('[role="alert"]').count() === 0 && Date.now() < end;) {
		await openAccount(other)
		if (await other.locator(button('logout')).count() > 0) await press(other, 'logout')
		await begin(other)
		await login(other, user)
	}
	await press(page, 'consent')
	await page.waitForSelector('[role="alert"]')
	await refused(page, 'session_ended')
})
