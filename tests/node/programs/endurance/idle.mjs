// An open client alone keeps no program going.

import { AlterVault, App } from "@alter-ai/alter-sdk";

const [url, apiKey] = process.argv.slice(2);
globalThis.clients = [new App({ apiKey, baseUrl: url }), new AlterVault({ apiKey, baseUrl: url })];
