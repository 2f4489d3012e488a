import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // the pages work below any path
  // Assets stay files: the policy of the pages has no place for what is written in them.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
