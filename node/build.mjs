// Makes the package of node/: compiles the sources, writes the ESM entry, and takes the addon from cargo's output.
//
//   node node/build.mjs                 with target/debug/
//   node node/build.mjs --addon FILE    with another build of the addon
//
// One implementation, in CommonJS, serves both kinds of programs, so that there is one addon instance and one set of classes. The ESM
// entry only names what it exports.

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const require = createRequire(import.meta.url);

/** The name that cargo gives the addon on this system. */
const LIBRARY = { darwin: "libalter_node.dylib", win32: "alter_node.dll" }[process.platform] ?? "libalter_node.so";

/** Where the new build grows. It takes the place of the old one at once, so that running programs never find half of it. */
const fresh = join(here, "dist.new");
const dist = join(here, "dist");

function compile() {
  rmSync(fresh, { recursive: true, force: true });
  const compiler = join(root, "node_modules", ".bin", "tsc");
  const { status, error } = spawnSync(compiler, ["-p", here, "--outDir", fresh], { stdio: "inherit" });
  if (error !== undefined || status !== 0) {
    throw new Error(`the sources do not compile (${error?.message ?? `tsc ended with ${status}`})`);
  }
}

/** What machine the addon is for: operating system, processor, and on Linux the C library. */
function platformName() {
  const base = `${process.platform}-${process.arch}`;
  const { glibcVersionRuntime } = process.report.getReport().header;
  return process.platform === "linux" ? `${base}-${glibcVersionRuntime === undefined ? "musl" : "gnu"}` : base;
}

/** Puts the addon beside `dist`, by a rename: a program that has the old one loaded keeps it. */
function takeAddon(built) {
  const addon = join(here, `alter.${platformName()}.node`);
  if (!existsSync(addon) || !readFileSync(addon).equals(readFileSync(built))) {
    copyFileSync(built, `${addon}.new`);
    renameSync(`${addon}.new`, addon);
  }
}

/** `index.mjs`, with every value that `index.js` exports, and its types. */
function writeEsmEntry() {
  const names = Object.keys(require(join(fresh, "index.js"))).sort();
  const entry = `import sdk from "./index.js";\n\nexport const {\n${names.map((name) => `  ${name},\n`).join("")}} = sdk;\n`;
  writeFileSync(join(fresh, "index.mjs"), entry);
  writeFileSync(join(fresh, "index.d.mts"), 'export * from "./index.js";\n');
}

/** Puts the new build in the place of the old one, unless it is the same. */
function replaceOld() {
  if (!existsSync(dist) || !sameFiles(fresh, dist)) {
    const old = join(here, "dist.old");
    rmSync(old, { recursive: true, force: true });
    if (existsSync(dist)) {
      renameSync(dist, old);
    }
    renameSync(fresh, dist);
    rmSync(old, { recursive: true, force: true });
  }
  rmSync(fresh, { recursive: true, force: true });
}

function sameFiles(one, other) {
  const names = filesOf(one);
  const same = (name) => readFileSync(join(one, name)).equals(readFileSync(join(other, name)));
  return names.join() === filesOf(other).join() && names.every(same);
}

/** The files in a folder and in those within it. */
function filesOf(folder) {
  const names = readdirSync(folder, { recursive: true });
  return names.filter((name) => statSync(join(folder, name)).isFile()).sort();
}

const { values } = parseArgs({ options: { addon: { type: "string" } } });
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
compile();
takeAddon(values.addon ?? join(target, "debug", LIBRARY));
writeEsmEntry();
replaceOld();
console.log(`built ${JSON.parse(readFileSync(join(here, "package.json"), "utf8")).name}`);
