import { defineConfig } from "vite";

/** One file of the roll and the player, for notebooks and single pages: the Python package puts it into them. */
export default defineConfig({
  build: {
    outDir: "../src/toccata/render",
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: "src/notebook.ts", formats: ["iife"], name: "toccataNotebook", fileName: () => "notebook.js" },
  },
});
