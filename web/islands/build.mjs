// Bundles every src/NAME.ts into web/static/built/NAME.js. Run by `pip install` (hatch_build.py).
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const islands = readdirSync(here("src")).filter((name) => /^[\w-]+\.ts$/.test(name));

rmSync(here("../static/built"), { recursive: true, force: true });
await build({
  entryPoints: islands.map((name) => here(`src/${name}`)),
  outdir: here("../static/built"),
  bundle: true,
  format: "esm",
  minify: true,
  sourcemap: "linked",
  target: ["es2022"],
  legalComments: "linked", // the licences of what is bundled go into the wheel
  logLevel: "info",
});
