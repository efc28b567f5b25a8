// What a program is told when the package cannot run where it is.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const node = fileURLToPath(new URL("../../node", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "alter-loading-"));

before(() => {
  cpSync(join(node, "dist"), join(folder, "dist"), { recursive: true });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What loading the copy says on standard error, after `first` has run. */
async function complaint(first = "") {
  const program = `${first}; require(${JSON.stringify(join(folder, "dist", "index.js"))})`;
  const end = await new Promise((resolve) => execFile(process.execPath, ["-e", program], (...all) => resolve(all)));
  assert.ok(end[0], "it was loaded");
  return end[2];
}

describe("loading fails in words", () => {
  test("without an addon for the machine", async () => {
    assert.match(await complaint(), /has no engine for this machine: alter\..+\.node.* is missing from the package/);
  });

  test("with an addon that cannot be loaded", async () => {
    const [name] = readdirSync(node).filter((file) => /^alter\..+\.node$/.test(file));
    writeFileSync(join(folder, name), "no program at all");
    assert.match(
      await complaint(),
      /has no engine for this machine: .*(invalid ELF header|file too short|not a mach-o)/i,
    );
    rmSync(join(folder, name));
  });

  test("on a Node that is too old (TS-003)", async () => {
    const old = 'Object.defineProperty(process.versions, "node", { value: "18.20.0" })';
    assert.match(await complaint(old), /needs Node\.js 20 or newer; this is 18\.20\.0/);
  });

  test("in a browser", async () => {
    assert.match(await complaint("delete process.versions; globalThis.process = undefined"), /runs on servers only/);
  });
});
