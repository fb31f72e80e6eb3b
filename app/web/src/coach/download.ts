/** Fetching the few large files that the coach needs, and how far that has come. */

/** The share of several downloads that is done, told whenever it changes. */
export class Progress {
  private readonly parts: { loaded: number; total: number }[] = [];

  constructor(private readonly tell: (share: number) => void) {}

  /** One more download; call the answer with what has come of it, in bytes. */
  part(): (loaded: number, total: number) => void {
    const part = { loaded: 0, total: 0 };
    this.parts.push(part);
    return (loaded, total) => {
      Object.assign(part, { loaded, total });
      const all = this.parts.reduce((sum, each) => sum + each.total, 0);
      const done = this.parts.reduce((sum, each) => sum + each.loaded, 0);
      if (this.parts.every((each) => each.total > 0)) this.tell(Math.min(1, done / all));
    };
  }
}

/** The bytes at `url`. Throws where it can't be fetched whole. */
export async function fetchWithProgress(
  url: string,
  tell: (loaded: number, total: number) => void,
): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
  // Compressed on the way, Content-Length tells less than will come.
  const whole = ["X-Uncompressed-Length", "Content-Length"].map((name) =>
    Number(response.headers.get(name) ?? 0),
  );
  const announced = whole.find((length) => length > 0) ?? 0;
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    loaded += next.value.length;
    tell(loaded, Math.max(announced, loaded));
  }
  const bytes = new Uint8Array(loaded);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  tell(loaded, loaded);
  return bytes;
}
