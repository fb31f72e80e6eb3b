/** What is wrong with the picture, by the landmarks of the last frames; the server checks again. */

import { definitionOf } from "../coach/angles";
import type { Exercise } from "../coach/exercise";
import {
  type BodySide,
  isFound,
  LANDMARK,
  type LandmarkName,
  observedView,
  picturePoint,
  type View,
  type Window,
} from "../coach/landmarks";
import { percentile } from "../coach/statistics";
import { length, minus, plus, times } from "../coach/vectors";

/** As in `vision/camera_check.py`. */
const FOUND_SHARE = 0.5;
const OUTSIDE_SHARE = 0.1;
const TRUNK_OF_STATURE = 0.288;
const SMALLEST_STATURE = 1 / 3;
const LARGEST_STATURE = 1 / 0.72;

const PARTS: readonly (readonly [string, readonly string[]])[] = [
  ["head", ["NOSE", "EAR"]],
  ["shoulders", ["SHOULDER"]],
  ["elbows", ["ELBOW"]],
  ["hands", ["WRIST"]],
  ["hips", ["HIP"]],
  ["knees", ["KNEE"]],
  ["feet", ["ANKLE", "HEEL", "FOOT_INDEX"]],
];

const SIDES: readonly BodySide[] = ["left", "right"];

/** The ids of what to say, the most basic first; empty where the picture will do. */
export function picturesFaults(
  window: Window,
  exercise: Exercise,
  side: BodySide | null,
  asked: View | "any" | null,
): string[] {
  const seen = { ...window, frames: window.frames.filter(isFound) };
  if (seen.frames.length < FOUND_SHARE * window.frames.length || seen.frames.length === 0) {
    return ["nobody"];
  }
  const faults = cutOff(seen, exercise, side);
  const stature = percentile(trunkLengths(seen), 75) / TRUNK_OF_STATURE / window.height;
  if (stature < SMALLEST_STATURE) faults.push("too_far");
  if (stature > LARGEST_STATURE) faults.push("too_near");
  if (asked !== null && asked !== "any" && observedView(seen) !== asked) {
    faults.push(asked === "frontal" ? "turn_to_face" : "turn_sideways");
  }
  return faults;
}

function cutOff(window: Window, exercise: Exercise, side: BodySide | null): string[] {
  const definition = definitionOf(exercise.angle.name);
  const joints = definition.toVertical.length > 0 ? definition.toVertical : definition.joints;
  const needed = new Set(joints.map((joint) => joint.replace(/^(LEFT|RIGHT)_/, "")));
  const sides = side && definition.bilateral ? [side] : SIDES;
  return PARTS.filter(
    ([, names]) =>
      names.some((name) => needed.has(name)) && sides.some((one) => isOutside(window, names, one)),
  ).map(([part]) => `cut_off_${part}`);
}

function isOutside(window: Window, joints: readonly string[], side: BodySide): boolean {
  return joints.some((joint) => {
    const name = (joint === "NOSE" ? joint : `${side.toUpperCase()}_${joint}`) as LandmarkName;
    const outside = window.frames.filter((frame) => {
      const [x = 0, y = 0] = picturePoint(frame, LANDMARK[name], window);
      return x < 0 || x > window.width || y < 0 || y > window.height;
    });
    return outside.length >= OUTSIDE_SHARE * window.frames.length;
  });
}

function trunkLengths(window: Window): number[] {
  return window.frames.map((frame) => {
    const middle = (left: LandmarkName, right: LandmarkName) =>
      times(
        plus(
          picturePoint(frame, LANDMARK[left], window),
          picturePoint(frame, LANDMARK[right], window),
        ),
        0.5,
      );
    return length(
      minus(middle("LEFT_HIP", "RIGHT_HIP"), middle("LEFT_SHOULDER", "RIGHT_SHOULDER")),
    );
  });
}
