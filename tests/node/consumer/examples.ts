// The examples of the TypeScript guide that came with the task, as it prints them (TS-110, TS-112): they compile in strict mode, and
// `examples.test.mjs` runs them. What is around them gives them the names that they take from their surroundings.

import { AlterVault, HttpMethod } from "@alter-ai/alter-sdk";
import {
  ReAuthRequiredError,
  PolicyViolationError,
  GrantNotFoundError,
  ScopeReauthRequiredError,
  NetworkError,
  ProviderAPIError,
} from "@alter-ai/alter-sdk";

export async function listTasks(grantId: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    caller: "my-agent",
  });

  try {
    const response = await vault.request(
      HttpMethod.GET,
      "https://api.example.com/v1/tasks",
      {
        grantId,
        queryParams: {
          limit: "10",
          status: "active",
          sort: "created_at",
        },
      }
    );

    const data = await response.json();
    for (const task of data.items ?? []) {
      console.log(`${task.id}: ${task.title ?? "Untitled"}`);
    }
  } finally {
    await vault.close();
  }
}

export async function listUsers(grantId: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    caller: "my-agent",
  });

  try {
    const response = await vault.request(
      HttpMethod.GET,
      "https://api.example.com/v1/users",
      {
        grantId,
        queryParams: { limit: "10", sort: "name" },
      }
    );

    const users = await response.json();
    for (const user of users.items ?? []) {
      console.log(`${user.name} - ${user.email ?? "No email"}`);
    }
  } finally {
    await vault.close();
  }
}

export async function managedSecret(MANAGED_SECRET_GRANT_ID: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    caller: "my-agent",
  });

  try {
    // Call your internal API — secret injected automatically
    const response = await vault.request(
      HttpMethod.GET,
      "https://api.internal.com/v1/loyalty/points",
      {
        grantId: MANAGED_SECRET_GRANT_ID,  // from Developer Portal (not from a user)
        queryParams: { user_id: "alice" },
        reason: "Checking loyalty points for rewards calculation",
      }
    );
    const data = await response.json();
    return data;
  } finally {
    await vault.close();
  }
}

export async function context(GRANT_ID: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    caller: "email-assistant-v2",  // Optional: Unique identifier for this SDK instance
  });
  const response = await vault.request(
    HttpMethod.GET,
    "https://www.googleapis.com/calendar/v3/calendars/primary/events",
    {
      grantId: GRANT_ID,  // from Alter Connect
      context: {
        tool: "read_calendar",
        agent: "cursor",
      },
    }
  );
  await vault.close();
  return response.status;
}

export async function twoAgents(gmailGrantId: string, calendarGrantId: string) {
  // Each agent gets its own vault instance
  const emailAgent = new AlterVault({
    apiKey: "alter_key_...",
    caller: "email-assistant-v2",
  });

  const calendarAgent = new AlterVault({
    apiKey: "alter_key_...",
    caller: "calendar-agent-v1",
  });

  // Audit logs and policies are tracked per caller
  await emailAgent.request(
    HttpMethod.GET,
    "https://gmail.googleapis.com/gmail/v1/users/me/messages",
    { grantId: gmailGrantId },  // from Alter Connect
  );
  await calendarAgent.request(
    HttpMethod.GET,
    "https://www.googleapis.com/calendar/v3/calendars/primary/events",
    { grantId: calendarGrantId },  // from Alter Connect
  );

  // Clean up each instance
  await emailAgent.close();
  await calendarAgent.close();
}

export async function listGrants(vault: AlterVault) {
  const result = await vault.listGrants();
  for (const grant of result.grants) {
    console.log(`${grant.providerId}: ${grant.accountDisplayName} (${grant.status})`);
  }

  // Filter by provider with pagination
  const googleGrants = await vault.listGrants({ providerId: "google", limit: 10 });
  return [googleGrants.total, googleGrants.limit, googleGrants.offset, googleGrants.hasMore];
}

export async function connectSession(vault: AlterVault) {
  const session = await vault.createConnectSession({
    allowedProviders: ["google", "github"],
    returnUrl: "https://myapp.com/callback",
  });
  console.log(`Connect URL: ${session.connectUrl}`);
}

export async function scoped(getCurrentUserJwt: () => string, grantId: string, url: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    userTokenGetter: () => getCurrentUserJwt(),
  });

  // listGrants() returns the caller's grants.
  const result = await vault.listGrants();

  // revokeGrant() targets a grant the caller owns.
  // Passing a grantId that does not belong to the caller throws
  // GrantNotFoundError.
  await vault.revokeGrant(grantId);

  // createConnectSession() produces a Connect URL tied to the caller's identity.
  const session = await vault.createConnectSession({
    allowedProviders: ["google"],
  });

  // vault.request({ grantId, ... }) retrieves a token only when the grant
  // belongs to the caller. (Or use { provider: "..." } for identity resolution.)
  await vault.request(HttpMethod.GET, url, { grantId });
  await vault.close();
  return [result.total, session.expiresIn];
}

export async function connect(vault: AlterVault) {
  const results = await vault.connect({
    providers: ["google"],
    timeout: 300_000,    // max wait in milliseconds (default: 300000 = 5 min)
    pollInterval: 2000,  // poll cadence in milliseconds
    openBrowser: true,   // set false to print URL instead
  });
  for (const result of results) {
    console.log(`Connected: ${result.grantId} (${result.providerId})`);
  }

  // Now use the grantId with vault.request()
  const response = await vault.request(
    HttpMethod.GET,
    "https://www.googleapis.com/calendar/v3/calendars/primary/events",
    { grantId: results[0].grantId },
  );
  return response.status;
}

export async function timeLimits(vault: AlterVault) {
  const results = await vault.connect({
    providers: ["google"],
    grantPolicy: {
      maxTtlSeconds: 604800,     // longest duration the user can pick
      defaultTtlSeconds: 86400,  // pre-selected in the dropdown
    },
  });
  const session = await vault.createConnectSession({
    allowedProviders: ["google"],
    grantPolicy: {
      maxTtlSeconds: 2592000,    // max 30 days
      defaultTtlSeconds: 604800, // default 7 days
    },
  });
  return [results[0].grantPolicy?.expiresAt, session.expiresAt];
}

export async function safeApiCall(grantId: string) {
  const vault = new AlterVault({
    apiKey: "alter_key_...",
    caller: "my-agent",
  });

  try {
    const response = await vault.request(
      HttpMethod.GET,
      "https://www.googleapis.com/calendar/v3/calendars/primary/events",
      { grantId },
    );
    return await response.json();

  } catch (e) {
    if (e instanceof ReAuthRequiredError) {
      // Catches GrantExpiredError, CredentialRevokedError, GrantRevokedError, GrantDeletedError
      console.log("User must re-authorize via Alter Connect");
    } else if (e instanceof PolicyViolationError) {
      console.log(`Access denied by policy: ${e.message} (rule: ${e.policyError})`);
    } else if (e instanceof GrantNotFoundError) {
      console.log("User hasn't connected Google yet");
    } else if (e instanceof NetworkError) {
      // TimeoutError is a subclass, so this catches both
      console.log(`Network issue: ${e.message}`);
    } else if (e instanceof ScopeReauthRequiredError) {
      console.log(`Scope mismatch on ${e.grantId}: re-auth needed`);
      // Create a new Connect session so the user can grant updated scopes
    } else if (e instanceof ProviderAPIError) {
      console.log(`Provider error ${e.statusCode}: ${e.responseBody}`);
    } else {
      throw e;
    }
  } finally {
    await vault.close();
  }
}
