/** What a vault knows: scopes of keys, providers, and the operations of providers' APIs. */

import type { Cancelable } from "./aborting.js";
import { type Encoders, plain } from "./given.js";
import type {
  OAuthProviderCatalog,
  ProviderSpec,
  ProviderSpecKind,
  ScopeCatalog,
  SpecOperationDetail,
  SpecOperationsPage,
} from "./models/index.js";
import { Part } from "./part.js";

/** The scopes that the vault knows. */
export class ScopesNamespace extends Part {
  /** The scopes that API keys can have. */
  list(options?: Cancelable | null): Promise<ScopeCatalog> {
    return this.operate("scopes.list", {}, {}, options);
  }

  /** Another name of it. */
  getCatalog(options?: Cancelable | null): Promise<ScopeCatalog> {
    return this.list(options);
  }
}

/** The options of `oauthProviders.list()`. */
export interface OAuthProviderListOptions extends Cancelable {
  /** Asks the vault in any case. */
  forceRefresh?: boolean | null | undefined;
}

const PROVIDERS: Encoders<OAuthProviderListOptions> = { forceRefresh: plain };

/** The OAuth providers of the application. */
export class OAuthProvidersNamespace extends Part {
  /** The OAuth providers that people can connect, with their scopes. They are kept for five minutes, and answered from there. */
  list(options?: OAuthProviderListOptions | null): Promise<OAuthProviderCatalog> {
    return this.operate("oauth_providers.list", {}, PROVIDERS, options);
  }
}

/** The options of `providerSpecs.listOperations()`: which operations, and which page of them. */
export interface ListOperationsOptions extends Cancelable {
  /** Only operations with this text in id, path or summary: 1 to 200 characters. */
  search?: string | null | undefined;
  /** At most so many, 1 to 500; 100 if not given. */
  limit?: number | null | undefined;
  /** Leaves out so many; none if not given. */
  offset?: number | null | undefined;
}

const OPERATIONS: Encoders<ListOperationsOptions> = { search: plain, limit: plain, offset: plain };

/**
 * The operations of providers' APIs, as the vault read them in the providers' own documents.
 *
 * What the vault does not have is a `GrantNotFoundError`.
 */
export class ProviderSpecsNamespace extends Part {
  /** All documents, or those of one kind, without what is in them. */
  list(kind?: ProviderSpecKind | null, options?: Cancelable | null): Promise<ProviderSpec[]> {
    return this.operate("provider_specs.list", { kind }, {}, options);
  }

  /** A provider's document, without what is in it. */
  get(kind: ProviderSpecKind, providerId: string, options?: Cancelable | null): Promise<ProviderSpec> {
    return this.operate("provider_specs.get", { kind, provider_id: providerId }, {}, options);
  }

  /** One page of a provider's operations. */
  listOperations(
    kind: ProviderSpecKind,
    providerId: string,
    options?: ListOperationsOptions | null,
  ): Promise<SpecOperationsPage> {
    return this.operate("provider_specs.list_operations", { kind, provider_id: providerId }, OPERATIONS, options);
  }

  /** One operation with its parameters. */
  getOperation(
    kind: ProviderSpecKind,
    providerId: string,
    operationId: string,
    options?: Cancelable | null,
  ): Promise<SpecOperationDetail> {
    const first = { kind, provider_id: providerId, operation_id: operationId };
    return this.operate("provider_specs.get_operation", first, {}, options);
  }
}
