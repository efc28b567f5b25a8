// Makes the package of node/: compiles the sources, writes the ESM entry, and takes the addon from cargo's output.
//
//   node node/build.mjs                 with target/debug/
//   node node/build.mjs --addon FILE    with another build of the addon
//
// One implementation, in CommonJS, serves both kinds of programs, so that there is one addon instance and one set of classes. The ESM
// entry only names what it exports.

import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const require = createRequire(import.meta.url);

/** The name that cargo gives the addon on this system. */
const LIBRARY = { darwin: "libalter_node.dylib", win32: "alter_node.dll" }[process.platform] ?? "libalter_node.so";

function compile() {
  rmSync(join(here, "dist"), { recursive: true, force: true });
  const compiler = join(root, "node_modules", ".bin", "tsc");
  const { status, error } = spawnSync(compiler, ["-p", here], { stdio: "inherit" });
  if (error !== undefined || status !== 0) {
    throw new Error(`the sources do not compile (${error?.message ?? `tsc ended with ${status}`})`);
  }
}

function takeAddon(built) {
  const { platformName } = require(join(here, "dist", "platform.js"));
  const addon = join(here, `alter.${platformName()}.node`);
  // Not written in place: a program that has the old one loaded would crash.
  copyFileSync(built, `${addon}.new`);
  renameSync(`${addon}.new`, addon);
}

/** `index.mjs`, with every value that `index.js` exports, and its types. */
function writeEsmEntry() {
  const names = Object.keys(require(join(here, "dist", "index.js"))).sort();
  const entry = `import sdk from "./index.js";\n\nexport const {\n${names.map((name) => `  ${name},\n`).join("")}} = sdk;\n`;
  writeFileSync(join(here, "dist", "index.mjs"), entry);
  writeFileSync(join(here, "dist", "index.d.mts"), 'export * from "./index.js";\n');
}

const { values } = parseArgs({ options: { addon: { type: "string" } } });
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
compile();
takeAddon(values.addon ?? join(target, "debug", LIBRARY));
writeEsmEntry();
console.log(`built ${JSON.parse(readFileSync(join(here, "package.json"), "utf8")).name}`);
