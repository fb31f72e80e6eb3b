/** One frame of MediaPipe's 33 pose landmarks, and a window of frames. */

import { median } from "./statistics";
import type { Vector } from "./vectors";

export const LANDMARK_COUNT = 33;

export const LANDMARK = {
  NOSE: 0,
  LEFT_EAR: 7,
  RIGHT_EAR: 8,
  LEFT_SHOULDER: 11,
  RIGHT_SHOULDER: 12,
  LEFT_ELBOW: 13,
  RIGHT_ELBOW: 14,
  LEFT_WRIST: 15,
  RIGHT_WRIST: 16,
  LEFT_HIP: 23,
  RIGHT_HIP: 24,
  LEFT_KNEE: 25,
  RIGHT_KNEE: 26,
  LEFT_ANKLE: 27,
  RIGHT_ANKLE: 28,
  LEFT_HEEL: 29,
  RIGHT_HEEL: 30,
  LEFT_FOOT_INDEX: 31,
  RIGHT_FOOT_INDEX: 32,
} as const;

export type LandmarkName = keyof typeof LANDMARK;
export type BodySide = "left" | "right";
export type View = "frontal" | "sagittal" | "oblique";

/** The estimator's own documentation puts "likely visible" at one half. */
export const VISIBLE = 0.5;

const FRONTAL_WITHIN_DEG = 35;
const SAGITTAL_BEYOND_DEG = 55;

/**
 * Where nobody was found, `image` and `world` are NaN and `visibility` is 0.
 *
 * `image`: 33 × (x, y) as fractions of the picture; `world`: 33 × (x, y, z) in metres.
 */
export interface Frame {
  tS: number;
  image: Float64Array;
  world: Float64Array;
  visibility: Float64Array;
}

/** Of a picture, in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** Consecutive frames and the size of their picture. */
export interface Window extends Size {
  frames: readonly Frame[];
}

export function worldPoint(frame: Frame, index: number): Vector {
  return [...frame.world.subarray(3 * index, 3 * index + 3)];
}

/** In pixels, so that both directions have one measure. */
export function picturePoint(frame: Frame, index: number, window: Window): Vector {
  const x = frame.image[2 * index] ?? Number.NaN;
  const y = frame.image[2 * index + 1] ?? Number.NaN;
  return [x * window.width, y * window.height];
}

export function visibility(frame: Frame, index: number): number {
  return frame.visibility[index] ?? 0;
}

/** Whether any landmark of a person was found. */
export function isFound(frame: Frame): boolean {
  return frame.image.some((value) => Number.isFinite(value));
}

const views = new WeakMap<Window, View>();

/** Whoever it shows is taken out: a frame in which nobody was found. */
export function withoutAnyone(frame: Frame): Frame {
  return {
    tS: frame.tS,
    image: new Float64Array(2 * LANDMARK_COUNT).fill(Number.NaN),
    world: new Float64Array(3 * LANDMARK_COUNT).fill(Number.NaN),
    visibility: new Float64Array(LANDMARK_COUNT),
  };
}

/** A frame of a picture of size `from` as one of size `to`, its pixels the same: a turned phone or
 * another camera changes the size in mid-session, and a recording has one. */
export function fitted(frame: Frame, from: Size, to: Size): Frame {
  if (from.width === to.width && from.height === to.height) return frame;
  const [x, y] = [from.width / to.width, from.height / to.height];
  const image = frame.image.map((value, index) => value * (index % 2 === 0 ? x : y));
  return { ...frame, image };
}

/** How the person stands to the camera, by the median turn of shoulders and hips. */
export function observedView(window: Window): View {
  // Every angle of a window asks.
  const known = views.get(window) ?? viewIn(window);
  views.set(window, known);
  return known;
}

function viewIn(window: Window): View {
  const slopes: number[] = [];
  for (const frame of window.frames) {
    for (const joint of ["SHOULDER", "HIP"] as const) {
      const [left, right] = [3 * LANDMARK[`LEFT_${joint}`], 3 * LANDMARK[`RIGHT_${joint}`]];
      const [x, z] = [apart(frame.world, left, right), apart(frame.world, left + 2, right + 2)];
      if (Number.isFinite(x) && Number.isFinite(z) && (x > 0 || z > 0)) slopes.push(z / x);
    }
  }
  if (slopes.length === 0) return "frontal";
  const turnDeg = (Math.atan(median(slopes)) * 180) / Math.PI;
  if (turnDeg >= SAGITTAL_BEYOND_DEG) return "sagittal";
  return turnDeg > FRONTAL_WITHIN_DEG ? "oblique" : "frontal";
}

function apart(values: Float64Array, first: number, second: number): number {
  return Math.abs((values[first] ?? Number.NaN) - (values[second] ?? Number.NaN));
}
