import { defineConfig } from "vite";

// The page is built into the Python package and served under /page/. Workers and worklets stay files of their own: the
// page's content security policy allows neither data: nor blob: scripts.
export default defineConfig({
  base: "/page/",
  build: {
    outDir: "../src/toccata/studio/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    assetsDir: ".",
    target: "es2022",
    modulePreload: { polyfill: false },
  },
});
