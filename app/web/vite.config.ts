import { defineConfig } from "vite";

// One entry an audience; the server reads the manifest, so there is no index.html.
export default defineConfig({
  base: "/static/",
  build: {
    outDir: "static",
    emptyOutDir: true,
    manifest: true,
    rollupOptions: { input: ["src/clinician.ts", "src/portal.ts", "src/office.ts"] },
  },
});
