// What the scripts of this folder share: where the server is, and what a
// browser and an API would do.
import assert from 'node:assert/strict'

export const { ISSUER: issuer, SHOP: shop, CLIENT_SECRET: secret, ROBOT_KEY: robotKey } = process.env
export const callback = 'https://web.example.com/callback'

// browse does what a browser does with the URL of an authorization request, and
// returns the URL with which it comes back to the client.
export async function browse(authorize) {
	const answer = await fetch(authorize, { redirect: 'manual' })
	assert.equal(answer.status, 303, await answer.text())
	return new URL(answer.headers.get('location'))
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
