// Bundles the extension with the licences of what is in it, and its tests, which need no editor.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const common = { bundle: true, platform: "node", target: "node20", format: "cjs", logLevel: "warning" };

if (process.argv.includes("--tests")) {
  const tests = (await readdir("test")).filter((name) => name.endsWith(".test.ts"));
  await build({ ...common, entryPoints: tests.map((name) => `test/${name}`), outdir: "build/test", sourcemap: "inline" });
} else {
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/extension.ts"],
    outfile: "build/extension.js",
    external: ["vscode"],
    minify: true,
    metafile: true,
  });
  await writeFile("build/NOTICES.txt", await notices(Object.keys(metafile.inputs)));
}

/** The licence of every package that files come from. */
async function notices(files) {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const texts = [...folders].sort().map(async (folder) => {
    const { name, version } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
    const licence = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    if (!licence) {
      throw new Error(`${name} has no licence file`);
    }
    return `${name} ${version}\n\n${(await readFile(`${folder}/${licence}`, "utf8")).trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(72)}\n\n`);
}
