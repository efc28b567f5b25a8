// The package as `npm pack` makes it, installed in an empty project (TS-001, TS-002).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { APP_KEY, GRANT, Scripted } from "./support/scripted.mjs";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "alter-package-"));
const server = await Scripted.start();

const run = (program, args, options = {}) => exec(program, args, { cwd: project, ...options });
const write = (name, content) => writeFileSync(join(project, name), content);

before(async () => {
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", project], { cwd: join(root, "node") });
  const [{ filename, files }] = JSON.parse(stdout);
  const names = files.map(({ path }) => path);
  assert.ok(names.some((name) => /^alter\..+\.node$/.test(name)) && names.includes("dist/index.mjs"), names.join(" "));
  assert.deepEqual(
    names.filter((name) => /^(src|build)|tsconfig|\.map$/.test(name)),
    [],
  );
  write("package.json", JSON.stringify({ name: "empty", version: "1.0.0", private: true }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--offline", join(project, filename)]);
});

after(async () => {
  await server.stop();
  rmSync(project, { recursive: true, force: true });
});

/** The quick start, run as this file; it must print the provider's answer and nothing else. */
async function quickStart(name, content) {
  write(name, content);
  const env = { ...process.env, ALTER_API_KEY: APP_KEY, ALTER_BASE_URL: server.url };
  const { stdout, stderr } = await run(process.execPath, [name, `${server.url}/p/x`, GRANT], { env });
  assert.deepEqual([stdout, stderr], ['200 {"hello":1}\n', ""]);
}

const source = readFileSync(join(root, "tests/demo/quickstart.mjs"), "utf8");

describe("the installed package runs the quick start", () => {
  test("as an ES module", () => quickStart("quickstart.mjs", source));

  test("as CommonJS", () => {
    const [head, ...rest] = source.split('import { App } from "@alter-ai/alter-sdk";\n');
    const body = rest.join("");
    const required = `${head}const { App } = require("@alter-ai/alter-sdk");\n(async () => {${body}})();\n`;
    return quickStart("quickstart.cjs", required);
  });

  test("as TypeScript (strict)", async () => {
    linkTypes();
    write("quickstart.mts", source);
    await compile("typescript", ["--module", "nodenext", "quickstart.mts"], []);
    await quickStart("quickstart.mjs", readFileSync(join(project, "quickstart.mjs"), "utf8"));
  });
});

/** The compiler's own packages come from the repository: the empty project must not need the network. */
function linkTypes() {
  for (const name of ["@types", "undici-types"]) {
    const link = join(project, "node_modules", name);
    if (!readdirSync(join(project, "node_modules")).includes(name)) {
      symlinkSync(join(root, "node_modules", name), link);
    }
  }
}

async function compile(version, args, more = ["--noEmit"]) {
  const compiler = join(root, "node_modules", version, "bin/tsc");
  const strict = ["--strict", "--target", "es2022", "--types", "node", "--skipLibCheck", "false", ...more];
  await run(process.execPath, [compiler, ...strict, ...args]).catch((error) =>
    assert.fail(error.stdout || error.message),
  );
}

/** The programs that are compiled. */
const CONSUMERS = ["consumer", "people", "examples"];

describe("its types compile in strict mode", () => {
  before(() => {
    linkTypes();
    for (const name of CONSUMERS) {
      for (const ending of ["ts", "mts", "cts"]) {
        copyFileSync(join(root, `tests/node/consumer/${name}.ts`), join(project, `${name}.${ending}`));
      }
    }
  });

  for (const [version, modes] of Object.entries({
    typescript: ["node16", "nodenext", "bundler"],
    "typescript-5.0": ["node16", "nodenext", "bundler"],
  })) {
    for (const mode of modes) {
      for (const ending of mode === "bundler" ? ["ts"] : ["mts", "cts"]) {
        test(`${version}, ${mode}, .${ending}`, () => {
          const modules = mode === "bundler" ? ["--module", "esnext", "--moduleResolution", mode] : ["--module", mode];
          return compile(version, [...modules, ...CONSUMERS.map((name) => `${name}.${ending}`)]);
        });
      }
    }
  }
});

test("nothing but the root can be imported, and the export list is the one of the sources", async () => {
  write("deep.cjs", 'try { require("@alter-ai/alter-sdk/dist/native.js") } catch (e) { console.log(e.code) }');
  assert.equal((await run(process.execPath, ["deep.cjs"])).stdout, "ERR_PACKAGE_PATH_NOT_EXPORTED\n");
  write("names.mjs", 'import * as sdk from "@alter-ai/alter-sdk"; console.log(Object.keys(sdk).join(" "))');
  const names = (await run(process.execPath, ["names.mjs"])).stdout.trim().split(" ");
  for (const name of [
    "App",
    "Agent",
    "AlterVault",
    "HttpMethod",
    "CallerType",
    "Provider",
    "isValidKey",
    "verifyIdentityAssertion",
    "RetryInfo",
    "ConnectSession",
    "GrantListResult",
  ]) {
    assert.ok(names.includes(name), name);
  }
  assert.deepEqual(
    names.filter((name) => /^session|engine|native|queue|outcome|token$/i.test(name)),
    [],
  );
});

test("the members of Provider are those of the Python package", async () => {
  const { Provider } = await import("@alter-ai/alter-sdk");
  const python = readFileSync(join(root, "python/alter_sdk/providers/enums.py"), "utf8").split("class Provider")[1];
  const members = [...python.matchAll(/^ {4}([A-Z0-9_]+) = "([^"]+)"$/gm)].map(([, name, value]) => [name, value]);
  assert.ok(members.length > 50);
  assert.deepEqual(Object.entries(Provider), members);
});
