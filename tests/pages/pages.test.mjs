// The pages of the vault, in a real browser, against a real identity provider and a real OAuth provider.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, ApprovalDeniedError, CredentialRevokedError, GrantRevokedError } from "@alter-ai/alter-sdk";
import { agreeThere, look, openBrowser, person, signInThere } from "./support/look.mjs";
import { eventually, Stage } from "./support/stage.mjs";

let stage;
let browser;
let app;
let userToken;

before(async () => {
  [stage, browser] = await Promise.all([Stage.set(), openBrowser()]);
  app = new App({ apiKey: stage.key, baseUrl: stage.url });
});

after(async () => {
  await app?.close();
  await browser?.close();
  await stage?.clear();
});

/** Calls the provider through a grant; gives what it said. */
async function call(grantId) {
  const response = await app.request("GET", `${stage.calendar.issuer}/me`, { grantId, reason: "show the calendar" });
  assert.equal(response.status, 200);
  return response.json();
}

test("a person signs in", async () => {
  const ada = await person(browser, stage.url);
  const session = await app.createAuthSession();
  await ada.page.goto(session.authUrl);
  await look(ada.page, "sign-in");
  await ada.page.getByRole("button").click();
  await signInThere(ada.page, stage.people.issuer, "ada");
  await ada.page.getByRole("heading", { name: "You are signed in" }).waitFor();
  await look(ada.page, "signed-in");
  ({ userToken } = await app.pollAuthSession(session.sessionToken));
  assert.equal(await app.verifyUserToken(userToken), "ada");
  await ada.page.goto(session.authUrl);
  await ada.page.getByRole("heading", { name: "This link is over" }).waitFor();
  await look(ada.page, "over");
  assert.deepEqual(
    ada.complaints.filter((text) => !text.includes("410")),
    [],
  );
  await ada.close();
});

test("consent, expiry choice, grant, call, refresh, revocation there, and again under the same id", async () => {
  const ada = await person(browser, stage.url);
  const { page } = ada;
  const session = await app.createConnectSession({ allowedProviders: ["calendar"], userToken });
  await page.goto(session.connectUrl);
  await look(page, "connect-sign-in");
  await page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(page, stage.people.issuer, "ada");
  await page.getByRole("heading", { name: "Connect Sunny Calendar to calendar-helper" }).waitFor();
  await look(page, "connect");

  // By keyboard alone: the choice for how long, then on to the provider.
  await page.getByRole("radio", { name: /^30 days/ }).focus();
  await page.keyboard.press("ArrowUp");
  assert.ok(await page.getByRole("radio", { name: /^7 days/ }).isChecked());
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Continue to Sunny Calendar");
  await page.keyboard.press("Enter");
  await signInThere(page, stage.calendar.issuer, "ada.at.calendar");
  await page.getByRole("heading", { name: "Connected to calendar-helper" }).waitFor();
  await look(page, "connected");

  const [result] = await app.pollConnectSession(session.sessionToken);
  assert.equal(result.accountIdentifier, "ada.at.calendar@example.com");
  const days = (Date.parse(result.grantPolicy.expiresAt) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days <= 7, `${days} days`);
  assert.equal((await call(result.grantId)).sub, "ada.at.calendar");

  await eventually("the login is refreshed", async () => {
    await call(result.grantId);
    return (await stage.count("credential.renew")) > 0;
  });

  await stage.calendar.endGrants();
  // The provider refuses the token at once; the vault learns with the next refresh that the login has ended.
  const refused = await eventually("the login is dead", () =>
    call(result.grantId).then(
      () => null,
      (error) => error instanceof CredentialRevokedError && error,
    ),
  );
  const repair = await app.createConnectSessionForError(refused, { userToken });
  await page.goto(repair.connectUrl);
  await agreeThere(page, stage.calendar.issuer);
  await page.getByRole("heading", { name: "Connected to calendar-helper" }).waitFor();
  const [repaired] = await app.pollConnectSession(repair.sessionToken);
  assert.deepEqual([repaired.grantId, repaired.operation], [result.grantId, "reauth"]);
  assert.equal((await call(result.grantId)).sub, "ada.at.calendar");
  assert.deepEqual(ada.complaints, []);
  await ada.close();
});

test("the Wallet shows what is used and why, and takes it back", async () => {
  const ada = await person(browser, stage.url);
  const { page } = ada;
  const { grants } = await app.listGrants({ endUserToken: userToken });
  const grantId = grants[0].grantId;
  await page.goto(`${stage.url}/wallet/calendar-helper`);
  await look(page, "wallet-sign-in");
  await page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(page, stage.people.issuer, "ada");
  await page.getByRole("heading", { name: "What calendar-helper may use for you" }).waitFor();
  for (const summary of await page.locator("summary").all()) {
    await summary.click();
  }
  await page.getByText("Reason: show the calendar").first().waitFor();
  await look(page, "wallet");
  await page.getByRole("button", { name: "Disconnect Sunny Calendar" }).click();
  await page.getByText("has no access to any account of yours").waitFor();
  await look(page, "wallet-empty");
  await assert.rejects(call(grantId), GrantRevokedError);
  await eventually("the provider is told", async () => (await stage.count("credential.revoke")) > 0);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  await look(page, "signed-out");
  assert.deepEqual(ada.complaints, []);
  await ada.close();
});

test("a person enters a key of their own, or says no", async () => {
  const ada = await person(browser, stage.url);
  const { page } = ada;
  const ask = (more) => app.createManagedSecretConnectSession({ provider: "weather", userToken, ...more });
  const session = await ask({ agent: "planner", delegable: true });
  await page.goto(session.connectUrl);
  await page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(page, stage.people.issuer, "ada");
  await page.getByRole("heading", { name: "Enter your key for weather" }).waitFor();
  await look(page, "key-entry");
  await page.getByLabel("Key").fill("spoilt\u00e9");
  await page.getByRole("button", { name: "Save the key" }).click();
  await page.getByRole("alert").waitFor();
  assert.equal(
    await page.evaluate(() => document.activeElement?.getAttribute("role")),
    "alert",
    "the summary takes the focus",
  );
  assert.equal(await page.getByLabel("Key").inputValue(), "", "a key is not sent back");
  await look(page, "key-entry-wrong");
  await page.getByLabel("Key").fill("key-of-ada");
  await page.getByRole("checkbox").check();
  await page.getByRole("button", { name: "Save the key" }).click();
  await page.getByRole("heading", { name: "Connected to calendar-helper" }).waitFor();
  const { grants } = await app.listGrants({ endUserToken: userToken, status: "active" });
  assert.deepEqual(grants.map((grant) => grant.managedSecretSlug).sort(), ["weather", "weather"]);

  const again = await ask({});
  assert.equal(again.path, "fast_path");
  await page.goto(again.connectUrl);
  await look(page, "key-confirm");
  await page.getByRole("button", { name: "Do not connect" }).click();
  await page.getByRole("heading", { name: "Nothing was connected" }).waitFor();
  await look(page, "denied");
  assert.deepEqual(
    ada.complaints.filter((text) => !text.includes("422")),
    [],
  );
  await ada.close();
});

test("several providers, an agent that may pass access on, and somebody else's link", async () => {
  const bob = await person(browser, stage.url);
  const { page } = bob;
  const session = await app.createConnectSession({
    allowedProviders: ["calendar", "archive"],
    agent: "planner",
    delegable: true,
    userToken,
    grantPolicy: { maxTtlSeconds: 7200 },
  });
  await page.goto(session.connectUrl);
  await page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(page, stage.people.issuer, "bob");
  await page.getByRole("heading", { name: "This link is for somebody else" }).waitFor();
  await look(page, "connect-stranger");
  await bob.close();

  const ada = await person(browser, stage.url);
  await ada.page.goto(session.connectUrl);
  await ada.page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(ada.page, stage.people.issuer, "ada");
  await ada.page.getByRole("heading", { name: "Connect accounts to calendar-helper" }).waitFor();
  await look(ada.page, "connect-several");
  await ada.page.getByRole("radio", { name: "Old Archive" }).check();
  await ada.page.getByRole("button", { name: "Continue", exact: true }).click();
  await signInThere(ada.page, stage.calendar.issuer, "ada.at.archive");
  await ada.page.getByText("Old Archive is connected").waitFor();
  await look(ada.page, "connect-one-done");
  await ada.page.getByRole("button", { name: "That is all" }).click();
  await ada.page.getByRole("heading", { name: "Connected to calendar-helper" }).waitFor();
  const [result] = await app.pollConnectSession(session.sessionToken);
  assert.equal(result.delegation.delegable, false);
  assert.deepEqual([...ada.complaints, ...bob.complaints], []);
  await ada.close();
});

test("the window that opened a page is told how it ended", async () => {
  const origin = new URL(stage.people.issuer).origin;
  await stage.alter(["app", "set", "calendar-helper", "--allowed-origin", origin]);
  const session = await app.createConnectSession({ allowedProviders: ["calendar"], allowedOrigin: origin });
  const ada = await person(browser, stage.url);
  const { page } = ada;
  await page.goto(`${stage.people.issuer}/.well-known/openid-configuration`);
  const opened = page.waitForEvent("popup");
  await page.evaluate((url) => {
    globalThis.told = new Promise((resolve) => {
      addEventListener("message", (message) => resolve({ origin: message.origin, data: message.data }), { once: true });
    });
    open(url);
  }, session.connectUrl);
  const popup = await opened;
  await popup.getByRole("button", { name: "Do not connect" }).click();
  const told = await page.evaluate(() => globalThis.told);
  assert.deepEqual(told, {
    origin: stage.url,
    data: { type: "alter:connect", status: "denied", grants: [], error_code: "connect_denied" },
  });
  await eventually("the window closes itself", () => popup.isClosed());
  await ada.close();
});

test("a person reads what an agent is about to send, and decides", async () => {
  const ask = (json, reason) =>
    app.proxyRequest("POST", `http://${stage.post.host}/v1/messages?notify=true`, {
      grantId: stage.postGrant,
      caller: stage.mailer,
      extraHeaders: { "X-Priority": "high" },
      json,
      reason,
    });
  const lines = Array.from({ length: 12 }, (_, line) => ({ item: `Chair number ${line + 1}`, price: 10.5 * line }));
  const pending = await ask(
    { to: "carol@example.com", subject: "Your order \u202E1000", lines },
    "The order is complete",
  );
  const ada = await person(browser, stage.url);
  const { page } = ada;
  await page.goto(pending.approvalUrl);
  await look(page, "approve-sign-in");
  await page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(page, stage.people.issuer, "ada");
  await page.getByRole("heading", { name: "Approve this call?" }).waitFor();
  await page.getByText("The order is complete").waitFor();
  // Whoever wrote it hoped that the amount reads 0001.
  await page.getByText(/Your order (⟨U\+202E⟩|\\u202e)1000/).waitFor();
  assert.equal(await page.getByText("Chair number 12").isVisible(), false, "what is long is folded");
  await look(page, "approve");

  // On a phone the buttons stay where they are, however far somebody has read.
  await page.setViewportSize({ width: 360, height: 740 });
  const place = () => page.getByRole("button", { name: "Approve" }).boundingBox();
  const before = await place();
  await page.getByText("The rest of it").click();
  await page.evaluate(() => scrollTo(0, 200));
  assert.equal((await place()).y, before.y);
  await page.setViewportSize({ width: 1200, height: 900 });

  assert.equal(stage.post.received.length, 0);
  await page.getByLabel("A note, if you like").fill("Checked");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Approve");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Approved and done" }).waitFor();
  await look(page, "approved");
  const result = await app.awaitApproval(pending.approvalId, { timeout: 30_000 });
  assert.deepEqual([result.statusCode, result.bodyJson()], [201, { sent: true }]);
  assert.equal(stage.post.received.length, 1);
  assert.equal(stage.post.received[0].url, "/v1/messages?notify=true");

  const second = await ask({ to: "everybody" }, "A second one");
  await page.goto(second.approvalUrl);
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("heading", { name: "Denied" }).waitFor();
  await look(page, "approval-denied");
  await assert.rejects(app.awaitApproval(second.approvalId, { timeout: 30_000 }), ApprovalDeniedError);

  const bob = await person(browser, stage.url);
  const third = await ask({ to: "nobody" }, "A third one");
  await bob.page.goto(third.approvalUrl);
  await bob.page.getByRole("button", { name: /^Continue to/ }).click();
  await signInThere(bob.page, stage.people.issuer, "bob");
  await bob.page.getByRole("heading", { name: "This is for somebody else" }).waitFor();
  await look(bob.page, "approve-stranger");
  assert.equal(stage.post.received.length, 1);
  assert.deepEqual(
    [...ada.complaints, ...bob.complaints].filter((text) => !text.includes("403")),
    [],
  );
  await ada.close();
  await bob.close();
});

test("an operator looks around in the console, by keyboard, and decides", async () => {
  const owner = await person(browser, stage.url);
  const { page } = owner;
  const pending = await app.proxyRequest("POST", `http://${stage.post.host}/v1/messages`, {
    grantId: stage.asks,
    json: { to: "carol@example.com" },
    reason: "A receipt",
  });
  await page.goto(`${stage.url}/`);
  await page.getByRole("heading", { name: "Alter console" }).waitFor();
  await look(page, "console-sign-in");
  await page.getByLabel("Operator key").fill("alter_pat_mistyped");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Operator key").fill(await stage.operatorKey());
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByText("As a table").first().click();
  await look(page, "console");
  for (const [link, heading] of [
    ["Applications", "Applications"],
    ["Operators", "Operators"],
    ["Audit", "Audit"],
  ]) {
    await page.getByRole("link", { name: link, exact: true }).click();
    await page.getByRole("heading", { name: heading, exact: true }).waitFor();
    await look(page, `console-${link.toLowerCase()}`);
  }

  // "/" goes to the search, Enter searches, arrows walk through what was found.
  await page.getByRole("link", { name: "Applications", exact: true }).click();
  await page.keyboard.press("/");
  await page.keyboard.type("calendar");
  await page.keyboard.press("Enter");
  await page.getByText("1 in all").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  for (const noun of ["Keys", "Agents", "Grants", "Policies", "Secrets", "Providers", "API descriptions"]) {
    await page.getByRole("link", { name: noun, exact: true }).click();
    await page.getByRole("heading", { name: noun, exact: true }).waitFor();
    await look(page, `console-app-${noun.toLowerCase().replaceAll(" ", "-")}`);
  }
  await page.getByRole("link", { name: "Waiting calls", exact: true }).click();
  await page
    .getByRole("row", { name: /A receipt/ })
    .getByRole("link")
    .click();
  await page.getByRole("heading", { name: "A call waits" }).waitFor();
  await look(page, "console-approval");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("heading", { name: /^A call: (approved|executing|executed)$/ }).waitFor();
  assert.equal((await app.awaitApproval(pending.approvalId, { timeout: 30_000 })).statusCode, 201);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Alter console" }).waitFor();
  assert.deepEqual(
    owner.complaints.filter((text) => !text.includes("401")),
    [],
  );
  await owner.close();
});
