// Bundles every src/NAME.ts into web/static/built/NAME.js, and the style sheets. Run by `pip install` (hatch_build.py).
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const islands = readdirSync(here("src")).filter((name) => /^[\w-]+\.ts$/.test(name));

rmSync(here("../static/built"), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: here("."),
  entryPoints: islands.map((name) => `src/${name}`),
  outdir: "../static/built",
  bundle: true,
  format: "esm",
  minify: true,
  sourcemap: "linked",
  target: ["es2022"],
  legalComments: "linked",
  metafile: true,
  logLevel: "info",
});
await build({
  absWorkingDir: here("../static"),
  entryPoints: ["style.css", "topology.css"],
  outdir: "built",
  bundle: true,
  minify: true,
  target: ["chrome123", "firefox121", "safari17.5"],
  logLevel: "info",
});
writeFileSync(here("../static/built/LICENCES.txt"), licences(Object.keys(metafile.inputs)));

/** The licence of every package that a bundle holds a part of: they go wherever the bundles go. */
function licences(inputs) {
  const found = inputs.map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]);
  const packages = [...new Set(found.filter(Boolean))].sort();
  return packages.map((name) => `${name}\n\n${licence(name)}`).join(`\n${"-".repeat(80)}\n`);
}

function licence(name) {
  const folder = here(`node_modules/${name}/`);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return file ? readFileSync(folder + file, "utf8") : JSON.parse(readFileSync(`${folder}package.json`)).license;
}
