// An external verifier with jose's normal cache (cooldownDuration 30 s,
// cacheMaxAge 10 min), one key set for each server. The arguments are the URLs
// of the key sets. It reads one JSON object a line, {"id", "set", "token", "typ",
// "audience"}, and answers {"id", "kid"} or {"id", "error"}, which shows no token.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

const sets = process.argv.slice(2).map((url) => createRemoteJWKSet(new URL(url), { timeoutDuration: 60_000 }));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, set, token, typ, audience } = JSON.parse(line);
  jwtVerify(token, sets[set], { issuer: "https://auth.example.com", audience, typ, algorithms: ["ES256"] })
    .then(({ protectedHeader }) => answer({ id, kid: protectedHeader.kid }))
    .catch((error) => answer({ id, kid: decodeProtectedHeader(token).kid, error: `${error.code}: ${error.message}` }));
}

function answer(said) {
  process.stdout.write(JSON.stringify(said) + "\n");
}
