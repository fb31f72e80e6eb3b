/** The session's landmarks as pieces of a few seconds, in the server's own file form. */

import { type Frame, isFound, LANDMARK_COUNT } from "../coach/landmarks";

export const PIECE_S = 5;

/** Collects frames and gives out a piece, compressed, every `PIECE_S` and at the end. */
export class Recorder {
  private frames: Frame[] = [];
  private pieces = 0;

  constructor(
    private readonly size: { width: number; height: number },
    private readonly give: (number: number, piece: Blob) => Promise<void>,
  ) {}

  get count(): number {
    return this.pieces;
  }

  async add(frame: Frame): Promise<void> {
    this.frames.push(frame);
    const first = this.frames[0];
    if (first && frame.tS - first.tS >= PIECE_S) await this.close();
  }

  /** Gives out what is left. A single frame is no series: it joins the piece before, or none. */
  async close(): Promise<void> {
    if (this.frames.length < 2) return;
    const text = JSON.stringify(seriesOf(this.frames, this.size));
    this.frames = [];
    await this.give(this.pieces++, await compressed(text));
  }
}

/** The `.json` form of a landmark series; null where nobody was found. */
export function seriesOf(
  frames: readonly Frame[],
  size: { width: number; height: number },
): Record<string, unknown> {
  return {
    t_s: frames.map((frame) => rounded(frame.tS, 4)),
    width: size.width,
    height: size.height,
    image: frames.map((frame) => (isFound(frame) ? rows(frame.image, 2) : absent(2))),
    world: frames.map((frame) => (isFound(frame) ? rows(frame.world, 3) : absent(3))),
    visibility: frames.map((frame) => [...frame.visibility].map((value) => rounded(value, 3))),
  };
}

function rows(values: Float64Array, width: number): (number | null)[][] {
  return Array.from({ length: LANDMARK_COUNT }, (_, index) =>
    [...values.subarray(width * index, width * (index + 1))].map((value) => rounded(value, 5)),
  );
}

function absent(width: number): null[][] {
  return Array.from({ length: LANDMARK_COUNT }, () => new Array<null>(width).fill(null));
}

function rounded(value: number, digits: number): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
}

async function compressed(text: string): Promise<Blob> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).blob();
}
