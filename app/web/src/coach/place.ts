/** Where the person stands: exercises are done on the spot (`vision/place.py`). */

import { LANDMARK, picturePoint, VISIBLE, visibility, type Window } from "./landmarks";
import { interpolate, percentile } from "./statistics";
import { length, minus, plus, times, type Vector } from "./vectors";

export const HALF_WINDOW_S = 0.8;
const MOVED_AWAY = 0.5;
const GROWN_BY = 1.2;

const ANKLES = [LANDMARK.LEFT_ANKLE, LANDMARK.RIGHT_ANKLE] as const;
const HIPS = [LANDMARK.LEFT_HIP, LANDMARK.RIGHT_HIP] as const;
const SHOULDERS = [LANDMARK.LEFT_SHOULDER, LANDMARK.RIGHT_SHOULDER] as const;

type Track = readonly Vector[];
type Pair = readonly [number, number];

/** False while the whole body changes its place in the picture; of the frames after `sinceS`. */
export function onTheSpot(window: Window, sinceS = Number.NEGATIVE_INFINITY): boolean[] {
  const position = (mark: number): Track =>
    window.frames.map((frame) => picturePoint(frame, mark, window));
  const visible = (mark: number): Track =>
    window.frames.map((frame) =>
      visibility(frame, mark) >= VISIBLE
        ? picturePoint(frame, mark, window)
        : [Number.NaN, Number.NaN],
    );
  const middle = (pair: Pair, track: (mark: number) => Track): Track =>
    halfWay(track(pair[0]), track(pair[1]));
  const found = window.frames.map((frame) => frame.image.some(Number.isFinite));
  const often = (track: Track): boolean => {
    const there = track.filter((_, index) => found[index]);
    return there.filter((point) => Number.isFinite(point[0])).length > there.length / 2;
  };

  const feet = ANKLES.map(visible);
  const trunk = [middle(HIPS, visible), middle(SHOULDERS, visible)];
  const anchors = feet.every(often)
    ? [...feet, middle(ANKLES, visible)]
    : [...feet, ...trunk].filter(often);
  const trunkPx = trunkLength(middle(HIPS, position), middle(SHOULDERS, position));
  const tS = window.frames.map((frame) => frame.tS);
  const asked = tS.filter((t) => t >= sinceS);
  if (anchors.length === 0 || trunkPx === null) return asked.map(() => true);
  const moved = anchors.map((track) => displacement(asked, tS, track));
  const growing = grows(asked, tS, visible, middle);
  return asked.map((_, index) => {
    const least = moved.reduce(
      (low, values) => lower(low, values[index]),
      Number.POSITIVE_INFINITY,
    );
    return least <= MOVED_AWAY * trunkPx && !growing[index];
  });
}

/** NaN if either is, as the server's minimum. */
function lower(low: number, value = Number.NaN): number {
  return Math.min(low, value);
}

function grows(
  asked: readonly number[],
  tS: readonly number[],
  visible: (mark: number) => Track,
  middle: (pair: Pair, track: (mark: number) => Track) => Track,
): boolean[] {
  const [left, right] = SHOULDERS.map(visible) as [Track, Track];
  const between = (first: Track, second: Track) =>
    first.map((point, index) => Math.log(length(minus(point, second[index] ?? []))));
  const widths = between(left, right);
  const lengths = between(middle(HIPS, visible), middle(SHOULDERS, visible));
  if (![widths, lengths].every((sizes) => sizes.some(Number.isFinite))) {
    return asked.map(() => false);
  }
  const [wider, longer] = [change(asked, tS, widths), change(asked, tS, lengths)];
  return asked.map((_, index) => {
    const [w, l] = [wider[index] ?? 0, longer[index] ?? 0];
    const least = Math.min(Math.abs(w), Math.abs(l));
    return Math.sign(w) === Math.sign(l) && least > Math.log(GROWN_BY);
  });
}

function displacement(asked: readonly number[], tS: readonly number[], track: Track): number[] {
  const [x, y] = [0, 1].map((axis) =>
    change(
      asked,
      tS,
      track.map((point) => point[axis] ?? Number.NaN),
    ),
  );
  return asked.map((_, index) => Math.hypot(x?.[index] ?? Number.NaN, y?.[index] ?? Number.NaN));
}

/** By how much `values` at `tS` differ half a window before and after; gaps are looked across. */
function change(
  asked: readonly number[],
  tS: readonly number[],
  values: readonly number[],
): number[] {
  const seen = values.flatMap((value, index) => (Number.isFinite(value) ? [index] : []));
  const when = seen.map((index) => tS[index] ?? 0);
  const known = seen.map((index) => values[index] ?? 0);
  return asked.map(
    (t) =>
      interpolate(t + HALF_WINDOW_S, when, known) - interpolate(t - HALF_WINDOW_S, when, known),
  );
}

function halfWay(first: Track, second: Track): Track {
  return first.map((point, index) => times(plus(point, second[index] ?? []), 0.5));
}

/** The upper quartile, for a bent trunk looks short. */
function trunkLength(hips: Track, shoulders: Track): number | null {
  const lengths = hips
    .map((point, index) => length(minus(point, shoulders[index] ?? [])))
    .filter(Number.isFinite);
  return lengths.length > 0 ? percentile(lengths, 75) : null;
}
