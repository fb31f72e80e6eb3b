/** Finds the person's landmarks, off the page's own thread. The picture goes no further than here. */

import { type NormalizedLandmark, PoseLandmarker } from "@mediapipe/tasks-vision";
import loaderUrl from "@mediapipe/tasks-vision/vision_wasm_module_internal.js?url";
import wasmUrl from "@mediapipe/tasks-vision/vision_wasm_module_internal.wasm?url";
import modelUrl from "../../../../vision/models/pose_landmarker_lite.task?url";
import { fetchWithProgress, Progress } from "./download";
import { type Frame, LANDMARK_COUNT } from "./landmarks";

/** From the page: a picture with its time. It is closed here. */
export interface Picture {
  bitmap: ImageBitmap;
  tMs: number;
}

/** To the page. */
export type PoseMessage =
  | { kind: "loading"; share: number }
  | { kind: "ready" }
  | { kind: "frame"; frame: Frame }
  | { kind: "failed"; why: string };

const scope = self as unknown as {
  postMessage(message: PoseMessage, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Picture>) => void) | null;
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
      numPoses: 1,
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

load()
  .then((landmarker) => {
    scope.onmessage = ({ data: { bitmap, tMs } }) => {
      try {
        const found = landmarker.detectForVideo(bitmap, tMs);
        const frame = frameOf(tMs, found.landmarks[0], found.worldLandmarks[0]);
        scope.postMessage({ kind: "frame", frame }, [
          frame.image.buffer,
          frame.world.buffer,
          frame.visibility.buffer,
        ]);
      } catch (error) {
        say(error);
      } finally {
        bitmap.close();
      }
    };
    scope.postMessage({ kind: "ready" });
  })
  .catch(say);
