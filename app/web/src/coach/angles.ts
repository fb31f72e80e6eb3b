/** What each joint angle is: the server's definitions (`vision/angle_definitions.py`), frame by frame. */

import {
  type BodySide,
  type Frame,
  isFound,
  LANDMARK,
  type LandmarkName,
  observedView,
  picturePoint,
  VISIBLE,
  type View,
  visibility,
  type Window,
  worldPoint,
} from "./landmarks";
import { percentile } from "./statistics";
import {
  angleOf,
  at,
  between,
  cross,
  dot,
  heading,
  length,
  minus,
  modulo,
  plus,
  times,
  turned,
  unit,
  type Vector,
  vertical,
  without,
} from "./vectors";

type Points = ReadonlyMap<string, Vector>;

/** An angle in deg with the lengths that its lines show; those shown too short spoil it. */
interface Measured {
  angle: number;
  shown: readonly number[];
}

interface Definition {
  plane: "frontal" | "sagittal" | "transverse";
  /** Landmarks without side; those of one side get the side that is asked for. */
  joints: readonly string[];
  bilateral: boolean;
  measure: (points: Points) => number | Measured;
  inPicture: boolean;
  views: readonly View[];
  toVertical: readonly string[];
}

const EVERY_VIEW: readonly View[] = ["frontal", "sagittal", "oblique"];
const FROM_IN_FRONT: readonly View[] = ["frontal", "oblique"];
const FROM_THE_SIDE: readonly View[] = ["sagittal", "oblique"];

/** A hanging or an overhead arm points nowhere when seen from above. */
const ARM_RAISED_DEG = [35, 145] as const;
const LEAST_SHOWN = 0.5;
const NOT_TOLD = Number.NaN;

function of(points: Points, joint: string): Vector {
  const point = points.get(joint);
  if (!point) throw new Error(`the angle needs ${joint}`);
  return point;
}

function middle(p: Points, joint: string): Vector {
  return times(plus(of(p, `LEFT_${joint}`), of(p, `RIGHT_${joint}`)), 0.5);
}

/** From the person's right to the left. */
function across(p: Points, joint: string): Vector {
  return minus(of(p, `LEFT_${joint}`), of(p, `RIGHT_${joint}`));
}

function trunkDown(p: Points): Vector {
  return minus(middle(p, "HIP"), middle(p, "SHOULDER"));
}

function leftwards(p: Points): Vector {
  const shoulders = across(p, "SHOULDER");
  const line = p.has("LEFT_HIP") ? plus(shoulders, across(p, "HIP")) : shoulders;
  return unit(without(line, vertical(line)));
}

function forwards(p: Points): Vector {
  const left = leftwards(p);
  return cross(left, times(vertical(left), -1));
}

function outwards(p: Points): Vector {
  const left = leftwards(p);
  return times(left, Math.sign(dot(minus(of(p, "SHOULDER"), middle(p, "SHOULDER")), left)));
}

function isPicture(p: Points): boolean {
  const [first] = p.values();
  return first?.length === 2;
}

function kneeFlexion(p: Points): number {
  return between(minus(of(p, "KNEE"), of(p, "HIP")), minus(of(p, "ANKLE"), of(p, "KNEE")));
}

function elbowFlexion(p: Points): number {
  return between(minus(of(p, "ELBOW"), of(p, "SHOULDER")), minus(of(p, "WRIST"), of(p, "ELBOW")));
}

function hipFlexion(p: Points): number {
  const [trunk, thigh] = [trunkDown(p), minus(of(p, "KNEE"), of(p, "HIP"))];
  if (isPicture(p)) return between(trunk, thigh);
  const line = unit(across(p, "HIP"));
  return between(without(trunk, line), without(thigh, line));
}

function hipExtension(p: Points): number {
  if (isPicture(p)) return NOT_TOLD;
  const down = unit(trunkDown(p));
  const backwards = unit(without(times(forwards(p), -1), down));
  const thigh = minus(of(p, "KNEE"), of(p, "HIP"));
  return angleOf(dot(thigh, backwards), dot(thigh, down));
}

function hipAbduction(p: Points): number {
  const down = unit(trunkDown(p));
  const out = unit(without(minus(of(p, "HIP"), middle(p, "HIP")), down));
  const thigh = minus(of(p, "KNEE"), of(p, "HIP"));
  return angleOf(dot(thigh, out), dot(thigh, down));
}

function kneeValgus(p: Points): Measured {
  const down = vertical(of(p, "HIP"));
  const out = unit(without(minus(of(p, "HIP"), middle(p, "HIP")), down));
  const lines = [minus(of(p, "KNEE"), of(p, "HIP")), minus(of(p, "ANKLE"), of(p, "KNEE"))];
  const [thigh = 0, shank = 0] = lines.map((line) => angleOf(dot(line, out), dot(line, down)));
  return {
    angle: modulo(shank - thigh + 180, 360) - 180,
    shown: lines.map((line) => Math.hypot(dot(line, out), dot(line, down))),
  };
}

function ankleDorsiflexion(p: Points): number {
  const shank = minus(of(p, "KNEE"), of(p, "ANKLE"));
  return 90 - between(shank, minus(of(p, "FOOT_INDEX"), of(p, "HEEL")));
}

function shoulderElevation(p: Points): number {
  const arm = minus(of(p, "ELBOW"), of(p, "SHOULDER"));
  return between(p.has("HIP") ? minus(of(p, "HIP"), of(p, "SHOULDER")) : vertical(arm), arm);
}

function shoulderExternalRotation(p: Points): number {
  if (isPicture(p)) return NOT_TOLD;
  const arm = unit(minus(of(p, "ELBOW"), of(p, "SHOULDER")));
  const forearm = unit(minus(of(p, "WRIST"), of(p, "ELBOW")));
  const turnedArm = without(forearm, arm);
  const front = without(forwards(p), arm);
  if (!(Math.min(length(turnedArm), length(front)) >= LEAST_SHOWN)) return NOT_TOLD;
  const side = Math.sign(dot(outwards(p), leftwards(p)));
  const external = times(cross(unit(front), arm), side);
  return angleOf(dot(turnedArm, external), dot(turnedArm, unit(front)));
}

function planeOfElevation(p: Points): number {
  if (isPicture(p)) return NOT_TOLD;
  const arm = minus(of(p, "ELBOW"), of(p, "SHOULDER"));
  const elevation = between(vertical(arm), arm);
  const [least, most] = ARM_RAISED_DEG;
  if (!(elevation >= least && elevation <= most)) return NOT_TOLD;
  return angleOf(dot(arm, forwards(p)), dot(arm, outwards(p)));
}

function neckFlexion(p: Points): number {
  const down = unit(trunkDown(p));
  let face = minus(of(p, "NOSE"), middle(p, "EAR"));
  if (!isPicture(p)) face = without(face, unit(without(across(p, "SHOULDER"), down)));
  return angleOf(dot(face, down), length(without(face, down)));
}

function neckLateralFlexion(p: Points): Measured {
  let lines = [across(p, "EAR"), across(p, "SHOULDER")];
  if (!isPicture(p)) {
    const left = leftwards(p);
    lines = lines.map((line) => [dot(line, left), at(line, 1)]);
  }
  const [head = 0, trunk = 0] = lines.map((line) => angleOf(at(line, 1), at(line, 0)));
  return { angle: turned(head, trunk, 180), shown: [length(lines[0] ?? [])] };
}

function neckRotation(p: Points): number {
  if (isPicture(p)) return NOT_TOLD;
  const face = minus(of(p, "NOSE"), middle(p, "EAR"));
  return turned(heading(face), heading(forwards(p)), 360);
}

function trunkFlexion(p: Points): number {
  const up = times(trunkDown(p), -1);
  if (isPicture(p)) return between(up, times(vertical(up), -1));
  return angleOf(dot(up, forwards(p)), -at(up, 1));
}

function trunkLateralFlexion(p: Points): number {
  const up = times(trunkDown(p), -1);
  const sideways = isPicture(p) ? at(up, 0) : dot(up, leftwards(p));
  return Math.abs(angleOf(sideways, -at(up, 1)));
}

function trunkRotation(p: Points): number {
  if (isPicture(p)) return NOT_TOLD;
  return turned(heading(across(p, "SHOULDER")), heading(across(p, "HIP")), 360);
}

function pelvicObliquity(p: Points): number {
  const hips = across(p, "HIP");
  return angleOf(Math.abs(at(hips, 1)), length(without(hips, vertical(hips))));
}

const SHOULDERS = ["LEFT_SHOULDER", "RIGHT_SHOULDER"];
const HIPS = ["LEFT_HIP", "RIGHT_HIP"];
const TRUNK = [...SHOULDERS, ...HIPS];
const EARS = ["LEFT_EAR", "RIGHT_EAR"];
const HEAD = ["NOSE", ...EARS];
const ARM = ["SHOULDER", "ELBOW"];
const LEG = ["HIP", "KNEE", "ANKLE"];
const THIGH = [...TRUNK, "HIP", "KNEE"];

function define(
  plane: Definition["plane"],
  joints: readonly string[],
  bilateral: boolean,
  measure: Definition["measure"],
  more: Partial<Definition> = {},
): Definition {
  const rest = { inPicture: true, views: EVERY_VIEW, toVertical: [], ...more };
  return { plane, joints, bilateral, measure, ...rest };
}

const elevation = { toVertical: ARM };
const byWorldOnly = { inPicture: false };

export const ANGLES: Readonly<Record<string, Definition>> = {
  knee_flexion: define("sagittal", LEG, true, kneeFlexion),
  hip_flexion: define("sagittal", THIGH, true, hipFlexion),
  hip_extension: define("sagittal", THIGH, true, hipExtension, byWorldOnly),
  hip_abduction: define("frontal", THIGH, true, hipAbduction, { views: FROM_IN_FRONT }),
  knee_valgus: define("frontal", [...HIPS, ...LEG], true, kneeValgus, { views: ["frontal"] }),
  ankle_dorsiflexion: define(
    "sagittal",
    ["KNEE", "ANKLE", "HEEL", "FOOT_INDEX"],
    true,
    ankleDorsiflexion,
    { views: FROM_THE_SIDE },
  ),
  shoulder_abduction: define("frontal", ["HIP", ...ARM], true, shoulderElevation, elevation),
  shoulder_flexion: define("sagittal", ["HIP", ...ARM], true, shoulderElevation, elevation),
  shoulder_external_rotation: define(
    "transverse",
    [...SHOULDERS, ...ARM, "WRIST"],
    true,
    shoulderExternalRotation,
    { ...byWorldOnly, views: FROM_IN_FRONT },
  ),
  plane_of_elevation: define(
    "transverse",
    [...SHOULDERS, ...ARM],
    true,
    planeOfElevation,
    byWorldOnly,
  ),
  elbow_flexion: define("sagittal", [...ARM, "WRIST"], true, elbowFlexion),
  neck_flexion: define("sagittal", [...HEAD, ...TRUNK], false, neckFlexion, {
    views: FROM_THE_SIDE,
  }),
  neck_lateral_flexion: define("frontal", [...EARS, ...SHOULDERS], false, neckLateralFlexion, {
    views: FROM_IN_FRONT,
  }),
  neck_rotation: define("transverse", [...HEAD, ...SHOULDERS], false, neckRotation, {
    ...byWorldOnly,
    views: FROM_IN_FRONT,
  }),
  trunk_flexion: define("sagittal", TRUNK, false, trunkFlexion, byWorldOnly),
  trunk_lateral_flexion: define("frontal", TRUNK, false, trunkLateralFlexion, {
    views: FROM_IN_FRONT,
  }),
  trunk_rotation: define("transverse", TRUNK, false, trunkRotation, {
    ...byWorldOnly,
    views: FROM_IN_FRONT,
  }),
  pelvic_obliquity: define("frontal", HIPS, false, pelvicObliquity, { views: FROM_IN_FRONT }),
};

export function definitionOf(name: string): Definition {
  const definition = ANGLES[name];
  if (!definition) throw new Error(`there is no angle ${name}`);
  return definition;
}

/** The angle in deg in every frame of `window`; NaN where it can't be told. */
export function jointAngle(window: Window, name: string, side: BodySide): number[] {
  const ruler = rulerFor(window, name, side);
  if (ruler === null) return window.frames.map(() => NOT_TOLD);
  const measured = window.frames.map(ruler.measure);
  const longest = longestShown(measured);
  return measured.map(({ angle, shown }, index) => {
    const frame = window.frames[index];
    const hidden = shown.some((value, line) => !(value >= LEAST_SHOWN * (longest[line] ?? 0)));
    return frame && isSeen(frame, ruler.joints, side) && !hidden ? angle : NOT_TOLD;
  });
}

/** The last of `jointAngle`; the other frames are measured only where they can spoil it. */
export function newestAngle(window: Window, name: string, side: BodySide): number {
  const [ruler, newest] = [rulerFor(window, name, side), window.frames.at(-1)];
  if (ruler === null || newest === undefined || !isSeen(newest, ruler.joints, side)) {
    return NOT_TOLD;
  }
  const { angle, shown } = ruler.measure(newest);
  return shown.length === 0 ? angle : (jointAngle(window, name, side).at(-1) ?? NOT_TOLD);
}

interface Ruler {
  joints: readonly string[];
  measure: (frame: Frame) => Measured;
}

/** How the angle is measured in `window`; null where its view does not show it. */
function rulerFor(window: Window, name: string, side: BodySide): Ruler | null {
  const definition = definitionOf(name);
  const view = observedView(window);
  if (!definition.views.includes(view)) return null;
  const joints = measuredToVertical(window, definition, side)
    ? definition.toVertical
    : definition.joints;
  const picture = readOffThePicture(window, definition, view);
  const marks = joints.map((joint) => [joint, landmarkOf(joint, side)] as const);
  const measure = (frame: Frame): Measured => {
    const points = new Map(
      marks.map(([joint, index]) => [
        joint,
        picture ? picturePoint(frame, index, window) : worldPoint(frame, index),
      ]),
    );
    const result = definition.measure(points);
    return typeof result === "number" ? { angle: result, shown: [] } : result;
  };
  return { joints, measure };
}

/** The most that each line shows in the window, less one frame in twenty. */
function longestShown(measured: readonly Measured[]): number[] {
  return (measured[0]?.shown ?? []).map((_, line) => {
    const known = measured.map((each) => each.shown[line] ?? NOT_TOLD).filter(Number.isFinite);
    return known.length > 0 ? percentile(known, 95) : 0;
  });
}

function readOffThePicture(window: Window, definition: Definition, view: View): boolean {
  if (definition.inPicture && view === definition.plane) return true;
  return window.frames.every((frame) => frame.world.every(Number.isNaN));
}

/** Whether the vertical stands for the trunk: the hips were mostly out of view. */
function measuredToVertical(window: Window, definition: Definition, side: BodySide): boolean {
  if (definition.toVertical.length === 0) return false;
  const seen = (joints: readonly string[]) =>
    window.frames.filter((frame) => isSeen(frame, joints, side)).length;
  return seen(definition.joints) < seen(definition.toVertical) / 2;
}

/** 0–1, how well the landmarks of this angle were seen, over the frames with anyone. */
export function visibilityOf(window: Window, name: string, side: BodySide): number {
  const indices = definitionOf(name).joints.map((joint) => landmarkOf(joint, side));
  const seen = window.frames
    .filter(isFound)
    .flatMap((frame) => indices.map((i) => visibility(frame, i)));
  return seen.length > 0 ? seen.reduce((a, b) => a + b, 0) / seen.length : 0;
}

function isSeen(frame: Frame, joints: readonly string[], side: BodySide): boolean {
  return joints.every((joint) => visibility(frame, landmarkOf(joint, side)) >= VISIBLE);
}

function landmarkOf(joint: string, side: BodySide): number {
  const own = joint in LANDMARK;
  return LANDMARK[(own ? joint : `${side.toUpperCase()}_${joint}`) as LandmarkName];
}
