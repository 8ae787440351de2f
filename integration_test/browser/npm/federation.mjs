// People who log in at another OpenID provider.
import assert from 'node:assert/strict'
import { control, issuer, newcomer, patience, scenario, shop, world } from './visit.mjs'
import { america, back, backWeb, begin, beginWeb, call, callWeb, consents, follows, loggedIn, login, openAccount, refresh, refused, sees, tokens, who } from './steps.mjs'

// elsewhere goes to the other provider and says a name there.
async function elsewhere(page, name) {
	await sees(page, 'login')
	await page.click('a[href*="provider="]')
	await page.waitForURL((url) => url.origin === world.provider)
	await page.fill('input[name="login"]', name)
	await follows(page, 'button:has-text("Log in")')
}

const claims = async (page) => JSON.parse(Buffer.from((await tokens(page)).access.split('.')[1], 'base64url'))

scenario('login at the other provider, consent here, and the API', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await elsewhere(page, 'frieda')
	await consents(page, america)
	assert.equal((await back(page)).problem, undefined)
	assert.match(await who(page), /^company:.*frieda$/)
	assert.equal((await call(page, `${shop}/orders/eu/1`)).status, 200)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	assert.equal((await refresh(page)).problem, undefined)
	await begin(page, { prompt: 'none' })
	assert.equal((await back(page)).problem, undefined)
	assert.equal((await call(page, `${shop}/orders/us/1`)).reason, 'resource_missing')
	await openAccount(page)
	assert.ok((await page.innerText('main')).includes('frieda'))
})

scenario('an application on a server, and the other provider', async (visit) => {
	const { page } = await visit()
	await beginWeb(page)
	await elsewhere(page, 'fritz')
	await consents(page)
	await backWeb(page)
	assert.equal((await callWeb(page, `${shop}/orders/eu/1`)).status, 200)
})

scenario('the same e-mail is not the same person', async (visit) => {
	const [local, other] = [await visit(), await visit()]
	await loggedIn(local.page, 'bob')
	await begin(other.page)
	await elsewhere(other.page, 'ann') // Who has the address of bob.
	await consents(other.page)
	await back(other.page)
	const [bob, ann] = [await claims(local.page), await claims(other.page)]
	assert.notEqual(ann.sub, bob.sub)
	await openAccount(local.page)
	assert.equal(await local.page.locator('button[value="end-session"]').count(), 1)
})

scenario('an address that is not verified is none', async (visit) => {
	const { page } = await visit()
	await begin(page, { scope: 'openid profile email' })
	await elsewhere(page, 'una')
	await consents(page)
	await back(page)
	const { id } = await tokens(page)
	const about = JSON.parse(Buffer.from(id.split('.')[1], 'base64url'))
	assert.equal(about.email, undefined)
	assert.notEqual((await claims(page)).acct, 'una@company.example')
})

scenario('somebody goes away at the other provider', async (visit) => {
	const { page } = await visit()
	await begin(page)
	await sees(page, 'login')
	await page.click('a[href*="provider="]')
	await page.waitForURL((url) => url.origin === world.provider)
	await follows(page, 'button:has-text("Cancel")')
	await page.waitForURL((url) => url.origin === issuer)
	// Back at the login page, or told with a way back to it.
	assert.ok(await page.locator('button[value="login"], main a').count() > 0)
})

scenario('the answer of the other provider is taken once, in one browser', async (visit) => {
	const [one, two] = [await visit(), await visit()]
	await begin(one.page)
	const answers = []
	one.page.on('request', (request) => { if (request.url().startsWith(`${issuer}/oauth2/callback`)) answers.push(request.url()) })
	await elsewhere(one.page, 'gustav')
	await sees(one.page, 'consent')
	assert.equal(answers.length, 1)
	await begin(two.page)
	for (const { page } of [two, one]) {
		const answer = await page.goto(answers[0])
		assert.ok(answer.status() >= 400 || await page.locator('button[value="login"]').count() > 0, `${answer.status()} ${page.url()}`)
	}
	await openAccount(two.page)
	await sees(two.page, 'login')
})

scenario('the other provider is away: a clear page, and local users go on', async (visit) => {
	const { page } = await visit()
	await control('provider-stop')
	try {
		await control('restart') // What was learnt of it is forgotten.
		await begin(page)
		await sees(page, 'login')
		const login_ = page.url()
		await follows(page, 'a[href*="provider="]')
		assert.ok(page.url().startsWith(issuer), page.url())
		await refused(page, 'provider_unavailable')
		await page.goto(login_)
		const user = newcomer()
		await login(page, user)
		await consents(page)
		await back(page)
		assert.equal(await who(page), `example.com:${user}`)
	} finally {
		await control('provider-start')
	}
	// Soon after it is back, it is asked again.
	const later = (await visit()).page
	await begin(later)
	for (const end = Date.now() + patience; !later.url().startsWith(world.provider) && Date.now() < end;) {
		await sees(later, 'login')
		await follows(later, 'a[href*="provider="]')
		if (later.url().startsWith(world.provider)) break
		await later.waitForTimeout(300)
		await follows(later, 'main a.main')
	}
	await later.fill('input[name="login"]', 'helga')
	await follows(later, 'button:has-text("Log in")')
	await consents(later)
	assert.equal((await back(later)).problem, undefined)
})
