// Calls an API through a grant: `quickstart.mjs URL GRANT_ID`, with the app's key in ALTER_API_KEY.

import { App } from "@alter-ai/alter-sdk";

const [url, grantId] = process.argv.slice(2);
const app = new App({ apiKey: process.env.ALTER_API_KEY ?? "" });
try {
  const response = await app.request("GET", url, { grantId });
  console.log(response.status, await response.text());
} finally {
  await app.close();
}
