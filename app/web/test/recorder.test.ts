// @vitest-environment node
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Frame, LANDMARK_COUNT } from "../src/coach/landmarks";
import { PIECE_S, Recorder } from "../src/live/recorder";

function frame(tS: number, found = true): Frame {
  const fill = found ? 0.123456789 : Number.NaN;
  return {
    tS,
    image: new Float64Array(2 * LANDMARK_COUNT).fill(fill),
    world: new Float64Array(3 * LANDMARK_COUNT).fill(fill),
    visibility: new Float64Array(LANDMARK_COUNT).fill(found ? 1 : 0),
  };
}

async function recorded(frames: Frame[]) {
  const pieces: { number: number; t_s: number[]; image: (number | null)[][][] }[] = [];
  const recorder = new Recorder({ width: 640, height: 480 }, async (number, piece) => {
    const text = gunzipSync(Buffer.from(await piece.arrayBuffer())).toString();
    pieces.push({ number, ...JSON.parse(text) });
  });
  for (const each of frames) await recorder.add(each);
  await recorder.close();
  return pieces;
}

describe("the recorder", () => {
  it("gives out every frame once, in pieces of a few seconds", async () => {
    const times = Array.from({ length: 120 }, (_, index) => index / 10);
    const pieces = await recorded(times.map((t) => frame(t)));
    expect(pieces.map((piece) => piece.number)).toEqual([0, 1, 2]);
    expect(pieces.flatMap((piece) => piece.t_s)).toEqual(times);
    for (const { t_s } of pieces) {
      expect((t_s.at(-1) ?? 0) - (t_s[0] ?? 0)).toBeLessThanOrEqual(PIECE_S + 1e-9);
    }
  });

  it("says null where nobody was found", async () => {
    const [piece] = await recorded([frame(0), frame(0.1, false)]);
    expect(piece?.image[0]?.[0]).toEqual([0.12346, 0.12346]);
    expect(piece?.image[1]?.[0]).toEqual([null, null]);
  });

  it("makes no piece of a single frame", async () => {
    expect(await recorded([frame(0)])).toEqual([]);
  });
});
