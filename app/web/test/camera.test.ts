import { afterEach, describe, expect, it, vi } from "vitest";
import type { PoseMessage } from "../src/coach/pose_worker";
import { Camera } from "../src/live/camera";

class WorkerAtRest {
  static made: WorkerAtRest[] = [];
  onmessage: ((event: { data: PoseMessage }) => void) | null = null;
  onerror: unknown = null;
  readonly postMessage = vi.fn();
  constructor() {
    WorkerAtRest.made.push(this);
  }
}

/** A camera that is on, whose next picture comes when `show` is called. */
async function cameraOn(pictures: () => Promise<unknown>) {
  let show = () => {};
  const video = {
    videoWidth: 640,
    videoHeight: 480,
    srcObject: null,
    play: async () => {},
    requestVideoFrameCallback: (next: () => void) => {
      show = next;
    },
  };
  const track = { addEventListener: vi.fn(), stop: vi.fn() };
  const stream = { getTracks: () => [track] };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => stream } });
  vi.stubGlobal("Worker", WorkerAtRest);
  vi.stubGlobal("createImageBitmap", vi.fn(pictures));
  const events = {
    loading: vi.fn(),
    ready: vi.fn(),
    frame: vi.fn(),
    lost: vi.fn(),
    failed: vi.fn(),
  };
  const camera = new Camera(video as unknown as HTMLVideoElement, events);
  await camera.start();
  const worker = WorkerAtRest.made.at(-1) as WorkerAtRest;
  worker.onmessage?.({ data: { kind: "ready" } });
  return { worker, show: () => show() };
}

describe("Camera", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("goes on with the next picture where one could not be taken", async () => {
    const none = new DOMException("the video has no picture", "InvalidStateError");
    const pictures = vi.fn<() => Promise<unknown>>().mockRejectedValueOnce(none);
    pictures.mockResolvedValueOnce({});
    const { worker, show } = await cameraOn(pictures);
    show();
    await vi.waitFor(() => expect(pictures).toHaveBeenCalledTimes(1));
    show();
    await vi.waitFor(() => expect(worker.postMessage).toHaveBeenCalledTimes(1));
  });

  it("hands over no second picture while the worker has one", async () => {
    const { worker, show } = await cameraOn(async () => ({}));
    show();
    show();
    await vi.waitFor(() => expect(worker.postMessage).toHaveBeenCalledTimes(1));
    show();
    await Promise.resolve();
    expect(createImageBitmap).toHaveBeenCalledTimes(1);
  });
});
