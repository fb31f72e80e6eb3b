import { defineConfig } from "vite";
import { compressed } from "./compressed";

// One entry an audience or a way of doing a session; the server reads the manifest, so there is no index.html.
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
    rollupOptions: {
      input: ["clinician", "portal", "live", "guided", "office", "service_worker"].map(
        (name) => `src/${name}.ts`,
      ),
    },
  },
});
