/** Built files in compressed form beside themselves; the server picks by what the browser takes. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip, constants as zlib } from "node:zlib";
import type { Plugin } from "vite";

const TEXT_OR_CODE = /\.(js|css|wasm|task)$/;

/** Beyond 9, brotli takes six times as long for a tenth less. */
const QUALITY = 9;

/** Compresses what is in `folder` of the output. */
export function compressed(folder: string): Plugin {
  let out = "";
  return {
    name: "homestretch-compressed",
    apply: "build",
    configResolved: (config) => {
      out = path.resolve(config.root, config.build.outDir, folder);
    },
    closeBundle: async () => {
      const names = (await readdir(out)).filter((name) => TEXT_OR_CODE.test(name));
      await Promise.all(names.map((name) => compress(path.join(out, name))));
    },
  };
}

async function compress(file: string): Promise<void> {
  const content = await readFile(file);
  const params = {
    [zlib.BROTLI_PARAM_QUALITY]: QUALITY,
    [zlib.BROTLI_PARAM_LGWIN]: zlib.BROTLI_MAX_WINDOW_BITS,
    [zlib.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  const forms = {
    br: await promisify(brotliCompress)(content, { params }),
    gz: await promisify(gzip)(content, { level: 9 }),
  };
  for (const [ending, form] of Object.entries(forms)) {
    if (form.length < content.length) await writeFile(`${file}.${ending}`, form);
  }
}
