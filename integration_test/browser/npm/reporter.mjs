// Prints a line of JSON for each scenario, for the tests in Go.
export default async function* (events) {
	for await (const { type, data } of events) {
		if (type !== 'test:pass' && type !== 'test:fail') continue
		// Nothing is left out: what did not run has failed.
		const left = data.skip || data.todo ? 'it did not run' : undefined
		const cause = left ?? data.details.error?.cause ?? data.details.error
		yield JSON.stringify({ name: data.name, ok: type === 'test:pass' && !left, ms: data.details.duration_ms, error: cause?.stack ?? String(cause ?? '') }) + '\n'
	}
}
