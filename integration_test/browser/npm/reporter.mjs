// Prints a line of JSON for each scenario, for the tests in Go.
export default async function* (events) {
	for await (const { type, data } of events) {
		if (type !== 'test:pass' && type !== 'test:fail') continue
		if (data.skip || data.todo) continue
		const cause = data.details.error?.cause ?? data.details.error
		yield JSON.stringify({ name: data.name, ok: type === 'test:pass', ms: data.details.duration_ms, error: cause?.stack ?? String(cause ?? '') }) + '\n'
	}
}
