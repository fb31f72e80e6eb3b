/** Draws the person's skeleton over the camera's picture. */

import { type Frame, LANDMARK, type LandmarkName, VISIBLE, visibility } from "../coach/landmarks";

const BONES: readonly (readonly [LandmarkName, LandmarkName])[] = [
  ["LEFT_SHOULDER", "RIGHT_SHOULDER"],
  ["LEFT_HIP", "RIGHT_HIP"],
  ...(["LEFT", "RIGHT"] as const).flatMap((side): [LandmarkName, LandmarkName][] => [
    [`${side}_SHOULDER`, `${side}_ELBOW`],
    [`${side}_ELBOW`, `${side}_WRIST`],
    [`${side}_SHOULDER`, `${side}_HIP`],
    [`${side}_HIP`, `${side}_KNEE`],
    [`${side}_KNEE`, `${side}_ANKLE`],
    [`${side}_ANKLE`, `${side}_FOOT_INDEX`],
  ]),
];

export function drawSkeleton(canvas: HTMLCanvasElement, frame: Frame): void {
  const brush = canvas.getContext("2d");
  if (!brush) return;
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.lineWidth = Math.max(4, canvas.width / 120);
  brush.lineCap = "round";
  brush.strokeStyle = "#ffb000";
  for (const [from, to] of BONES) {
    const [first, second] = [LANDMARK[from], LANDMARK[to]];
    if (visibility(frame, first) < VISIBLE || visibility(frame, second) < VISIBLE) continue;
    brush.beginPath();
    brush.moveTo(...place(frame, first, canvas));
    brush.lineTo(...place(frame, second, canvas));
    brush.stroke();
  }
}

function place(frame: Frame, index: number, canvas: HTMLCanvasElement): [number, number] {
  return [
    (frame.image[2 * index] ?? 0) * canvas.width,
    (frame.image[2 * index + 1] ?? 0) * canvas.height,
  ];
}
