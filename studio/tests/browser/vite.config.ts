import { defineConfig, mergeConfig } from "vite";

import page from "../../vite.config";

/** Builds the tests' page as the page itself is built; where to is given on the command line. */
export default mergeConfig(page, defineConfig({ root: "tests/browser", base: "/" }));
