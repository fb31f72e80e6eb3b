/** Finds the person's landmarks, off the page's own thread. The picture goes no further than here. */

import { type NormalizedLandmark, PoseLandmarker } from "@mediapipe/tasks-vision";
import loaderUrl from "@mediapipe/tasks-vision/vision_wasm_module_internal.js?url";
import wasmUrl from "@mediapipe/tasks-vision/vision_wasm_module_internal.wasm?url";
import modelUrl from "../../../../vision/models/pose_landmarker_lite.task?url";
import { fetchWithProgress, Progress } from "./download";
import { type Frame, LANDMARK, LANDMARK_COUNT, type Size } from "./landmarks";

/** From the page: a picture with its time, which is closed here, or that there is one person to
 * follow from now on. Before, people are looked for in every picture. */
export type ToPoseWorker =
  | { kind: "picture"; bitmap: ImageBitmap; tMs: number }
  | { kind: "follow_one" };

/** To the page. */
export type PoseMessage =
  | { kind: "loading"; share: number }
  | { kind: "ready" }
  | { kind: "frame"; frame: Frame; size: Size; people: number }
  | { kind: "failed"; why: string };

/** Two are one too many already. */
const MOST_PEOPLE = 2;

/** Of the picture's width: nearer than that, two people can't stand side by side in full view. */
const SAME_PLACE = 0.08;

const scope = self as unknown as {
  postMessage(message: PoseMessage, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToPoseWorker>) => void) | null;
};

async function load(): Promise<PoseLandmarker> {
  const progress = new Progress((share) => scope.postMessage({ kind: "loading", share }));
  const [model] = await Promise.all([
    fetchWithProgress(modelUrl, progress.part()),
    // Only to show how far it is: the loader takes it from the browser's cache.
    fetchWithProgress(wasmUrl, progress.part()),
  ]);
  return PoseLandmarker.createFromOptions(
    { wasmLoaderPath: loaderUrl, wasmBinaryPath: wasmUrl },
    {
      baseOptions: { modelAssetBuffer: model, delegate: "CPU" },
      runningMode: "VIDEO",
      numPoses: MOST_PEOPLE,
    },
  );
}

function frameOf(
  tMs: number,
  image: NormalizedLandmark[] | undefined,
  world: { x: number; y: number; z: number }[] | undefined,
): Frame {
  const frame: Frame = {
    tS: tMs / 1000,
    image: new Float64Array(2 * LANDMARK_COUNT).fill(Number.NaN),
    world: new Float64Array(3 * LANDMARK_COUNT).fill(Number.NaN),
    visibility: new Float64Array(LANDMARK_COUNT),
  };
  image?.forEach((point, index) => {
    frame.image.set([point.x, point.y], 2 * index);
    frame.visibility[index] = point.visibility;
  });
  world?.forEach((point, index) => {
    frame.world.set([point.x, point.y, point.z], 3 * index);
  });
  return frame;
}

function say(error: unknown): void {
  scope.postMessage({
    kind: "failed",
    why: error instanceof Error ? error.message : String(error),
  });
}

/** How many these are; landmarks of the same body found twice are one person. */
function count(people: NormalizedLandmark[][]): number {
  const [first, second] = people.map((each) => [
    each[LANDMARK.LEFT_HIP],
    each[LANDMARK.RIGHT_HIP],
    each[LANDMARK.LEFT_SHOULDER],
    each[LANDMARK.RIGHT_SHOULDER],
  ]);
  if (!first || !second) return people.length;
  const apart = first.map((point, index) => Math.abs((point?.x ?? 0) - (second[index]?.x ?? 0)));
  return Math.max(...apart) < SAME_PLACE ? 1 : 2;
}

load()
  .then((landmarker) => {
    scope.onmessage = ({ data }) => {
      try {
        if (data.kind === "follow_one") void landmarker.setOptions({ numPoses: 1 }).catch(say);
        else find(landmarker, data.bitmap, data.tMs);
      } catch (error) {
        say(error);
      }
    };
    scope.postMessage({ kind: "ready" });
  })
  .catch(say);

function find(landmarker: PoseLandmarker, bitmap: ImageBitmap, tMs: number): void {
  const { width, height } = bitmap;
  try {
    const found = landmarker.detectForVideo(bitmap, tMs);
    const frame = frameOf(tMs, found.landmarks[0], found.worldLandmarks[0]);
    const people = count(found.landmarks);
    scope.postMessage({ kind: "frame", frame, size: { width, height }, people }, [
      frame.image.buffer,
      frame.world.buffer,
      frame.visibility.buffer,
    ]);
  } finally {
    bitmap.close();
  }
}
