// Calls through our package. The bench puts a copy of this file beside a package of its own build, where `require` finds it.

import { createRequire } from "node:module";

import { obey } from "./control.mjs";

const { App } = createRequire(import.meta.url)("@alter-ai/alter-sdk");

class Sdk {
  #app;
  #url;
  #options;

  constructor(order) {
    process.env.ALTER_BASE_URL = order.base_url;
    this.#app = new App({ apiKey: order.api_key });
    this.#url = order.provider_url;
    this.#options = { grantId: order.grants[0] };
  }

  /** Makes one call and looks at what any program looks at. */
  async call() {
    const response = await this.#app.request("GET", this.#url, this.#options);
    const text = await response.text();
    if (response.status !== 200 || text === "") throw new Error("the provider's answer is not the stub's");
  }

  /** Waits for the reports. */
  async close() {
    await this.#app.close();
  }
}

await obey((order) => new Sdk(order));
