// A real OpenID provider (the npm package oidc-provider) on loopback, for tests.
//
//   node tests/oidc/provider.mjs '{"clients": [{"client_id": "vault", "client_secret": "…", "redirect_uris": ["http://…"]}]}'
//
// Prints one line of JSON, {"issuer": "http://127.0.0.1:PORT"}, once it listens, and ends when its standard input does.
// Its sign-in page takes any name without a password being looked at; the name is the subject. Optional members of the argument:
// "ttl" (seconds by kind of token, as oidc-provider names them) and "groups" (the groups of everybody).
// `POST /test/end-grants` takes back everything that people have agreed to, as they do in a provider's settings.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { clients, ttl = {}, groups = ["staff"] } = JSON.parse(process.argv[2]);

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  ttl: { AccessToken: 300, IdToken: 600, RefreshToken: 3600, Session: 3600, Interaction: 600, Grant: 3600, ...ttl },
  scopes: ["openid", "offline_access", "profile", "email", "groups"],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
  // The vault reads who somebody is from the ID token.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true } },
  cookies: { keys: ["only for tests"] },
  findAccount: (_context, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `${sub} Example`, email: `${sub}@example.com`, email_verified: true, groups }),
  }),
});

const given = new Set();
provider.on("grant.success", (context) =>
  given.add(context.oidc.entities.Grant?.jti ?? context.oidc.entities.AccessToken?.grantId),
);

/** Ends what was agreed to: its tokens, and the consent itself, so that people are asked anew. */
async function endGrants() {
  for (const grant of given) {
    await Promise.all([provider.AccessToken, provider.RefreshToken].map((kind) => kind.revokeByGrantId(grant)));
    await (await provider.Grant.find(grant))?.destroy();
  }
  given.clear();
}

const protocol = provider.callback();
server.on("request", (request, response) => {
  if (request.method === "POST" && request.url === "/test/end-grants") {
    endGrants().then(
      () => response.writeHead(204).end(),
      (error) => response.writeHead(500).end(String(error)),
    );
  } else {
    protocol(request, response);
  }
});
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
