import { defineConfig } from "vite";
import { compressed } from "./compressed";

// One entry an audience; the server reads the manifest, so there is no index.html.
export default defineConfig({
  base: "/static/",
  // The pose model is fetched by its address, as a file of ours.
  assetsInclude: ["**/*.task"],
  worker: { format: "es" },
  plugins: [compressed("assets")],
  build: {
    outDir: "static",
    emptyOutDir: true,
    manifest: true,
    rollupOptions: { input: ["src/clinician.ts", "src/portal.ts", "src/live.ts", "src/office.ts"] },
  },
});
