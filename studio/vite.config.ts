import { readFileSync } from "node:fs";
import { type Plugin, defineConfig } from "vite";

/** Packages of others that are part of the built page. */
const BUNDLED = ["lit", "spessasynth_lib", "spessasynth_core", "stb-vorbis"];

/** Puts the licences of what the page contains beside it, as they ask for. */
const licences: Plugin = {
  name: "licences",
  generateBundle() {
    const texts = BUNDLED.map((name) => {
      const folder = `node_modules/${name}`;
      const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { version: string };
      return `${name} ${version}\n\n${readFileSync(`${folder}/LICENSE`, "utf8").trim()}\n`;
    });
    this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: texts.join(`\n${"-".repeat(80)}\n\n`) });
  },
};

// The page is built into the Python package and served under /page/. Workers and worklets stay files of their own: the
// page's content security policy allows neither data: nor blob: scripts.
// Names say no hash: the server lets the browser ask whether a file is still the same.
const names = { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" };

export default defineConfig({
  base: "/page/",
  plugins: [licences],
  worker: { rollupOptions: { output: names } },
  build: {
    outDir: "../src/toccata/studio/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    assetsDir: ".",
    target: "es2022",
    modulePreload: { polyfill: false },
    rollupOptions: { output: names },
  },
});
