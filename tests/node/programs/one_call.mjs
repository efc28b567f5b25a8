// One call whose answer takes a while, and nothing else that would keep the program going.

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId, path] = process.argv.slice(2);
const app = new App({ apiKey, baseUrl: url });
app.request("GET", `${url}${path}`, { grantId }).then((response) => console.log(response.status));
