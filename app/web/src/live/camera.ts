/** The camera's pictures, one at a time, to the worker that finds the landmarks. */

import type { Frame } from "../coach/landmarks";
import type { Picture, PoseMessage } from "../coach/pose_worker";

export interface CameraEvents {
  loading(share: number): void;
  ready(size: { width: number; height: number }): void;
  frame(frame: Frame): void;
  failed(why: string): void;
}

/** A picture goes to the worker when it has done with the one before: none waits in a queue. */
export class Camera {
  private stream: MediaStream | null = null;
  private worker: Worker | null = null;
  private running = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: CameraEvents,
  ) {}

  /** Asks for the camera, then loads what finds the landmarks. Throws where there is no camera. */
  async start(): Promise<void> {
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } },
    });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.worker = new Worker(new URL("../coach/pose_worker.ts", import.meta.url), {
      type: "module",
    });
    this.worker.onmessage = ({ data }: MessageEvent<PoseMessage>) => this.hear(data);
    this.worker.onerror = (event) => this.events.failed(event.message);
  }

  stop(): void {
    this.running = false;
    this.worker?.terminate();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }

  private hear(message: PoseMessage): void {
    if (message.kind === "loading") this.events.loading(message.share);
    else if (message.kind === "failed") this.events.failed(message.why);
    else if (message.kind === "ready") {
      this.running = true;
      this.events.ready({ width: this.video.videoWidth, height: this.video.videoHeight });
      void this.next();
    } else if (this.running) {
      this.events.frame(message.frame);
      void this.next();
    }
  }

  /** Waits for a new picture of the camera and hands it over. */
  private async next(): Promise<void> {
    await newPicture(this.video);
    if (!this.running) return;
    const bitmap = await createImageBitmap(this.video);
    const picture: Picture = { bitmap, tMs: performance.now() };
    this.worker?.postMessage(picture, [bitmap]);
  }
}

function newPicture(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}
