/** Keys, catalogues and spans: what an application's and an agent's client both have under names of their own. */

import { KeysNamespace } from "./api-keys.js";
import { OAuthProvidersNamespace, ProviderSpecsNamespace, ScopesNamespace } from "./catalogues.js";
import { Proxying } from "./proxying.js";
import { SpansNamespace } from "./spans.js";

/** A client's parts that have calls of their own. */
export abstract class Managing extends Proxying {
  /** API keys that are made of this client's own. */
  get keys(): KeysNamespace {
    return new KeysNamespace(this.operate.bind(this));
  }

  /** The scopes that API keys can have. */
  get scopes(): ScopesNamespace {
    return new ScopesNamespace(this.operate.bind(this));
  }

  /** The providers that people can connect. */
  get oauthProviders(): OAuthProvidersNamespace {
    return new OAuthProvidersNamespace(this.operate.bind(this));
  }

  /** The operations of providers' APIs. */
  get providerSpecs(): ProviderSpecsNamespace {
    return new ProviderSpecsNamespace(this.operate.bind(this));
  }

  /** This program's own steps, for the vault's records. */
  get spans(): SpansNamespace {
    return new SpansNamespace(this.operate.bind(this));
  }
}
