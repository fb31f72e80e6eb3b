import { defineConfig } from "vitest/config";

// Run by tests/web/test_parity.py, which writes the recordings that these tests read.
export default defineConfig({ test: { include: ["parity/**/*.test.ts"] } });
