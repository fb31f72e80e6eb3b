/** The camera's pictures, one at a time, to the worker that finds the landmarks. */

import { type Frame, fitted, type Size } from "../coach/landmarks";
import type { PoseMessage, ToPoseWorker } from "../coach/pose_worker";

/** Why there are no pictures. */
export type CameraProblem = "denied" | "none" | "in_use" | "unsupported";

export class CameraRefused extends Error {
  constructor(readonly problem: CameraProblem) {
    super(problem);
  }
}

export interface CameraEvents {
  loading(share: number): void;
  ready(size: Size): void;
  /** `people` is how many are in the picture, as long as others are looked for. */
  frame(frame: Frame, people: number): void;
  /** The camera gave out, as when it is unplugged or forbidden; `reopen` asks for it again. */
  lost(): void;
  failed(why: string): void;
}

/** A picture goes to the worker when it has done with the one before: none waits in a queue. */
export class Camera {
  private stream: MediaStream | null = null;
  private worker: Worker | null = null;
  private size: Size | null = null;
  private isWorking = false;
  private isNew = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: CameraEvents,
  ) {}

  /** Asks for the camera, then loads what finds the landmarks. Throws CameraRefused. */
  async start(): Promise<void> {
    await this.reopen();
    this.worker = new Worker(new URL("../coach/pose_worker.ts", import.meta.url), {
      type: "module",
    });
    this.isWorking = true; // until it is ready
    this.worker.onmessage = ({ data }: MessageEvent<PoseMessage>) => this.hear(data);
    this.worker.onerror = (event) => this.events.failed(event.message);
  }

  /** Asks for the camera alone. Throws CameraRefused. */
  async reopen(): Promise<void> {
    this.close();
    const stream = await opened();
    this.stream = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => {
        if (this.stream !== stream) return;
        this.close();
        this.events.lost();
      });
    }
    this.video.srcObject = stream;
    await this.video.play();
    this.isNew = false;
    this.await(stream);
  }

  /** Other people are looked for no longer: finding the one takes half of the time. */
  followOne(): void {
    this.tell({ kind: "follow_one" });
  }

  stop(): void {
    this.close();
    this.worker?.terminate();
    this.worker = null;
    this.size = null;
  }

  private close(): void {
    const stream = this.stream;
    this.stream = null;
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }

  private hear(message: PoseMessage): void {
    if (message.kind === "loading") this.events.loading(message.share);
    else if (message.kind === "failed") this.events.failed(message.why);
    else {
      this.isWorking = false;
      // First the next picture: the worker need not wait for what the page does with this one.
      void this.offer();
      if (message.kind === "ready") {
        this.size = sizeOf(this.video);
        this.events.ready(this.size);
      } else if (this.stream && this.size) {
        this.events.frame(fitted(message.frame, message.size, this.size), message.people);
      }
    }
  }

  /** Notices every new picture of `stream`, and hands it over if the worker is free. */
  private await(stream: MediaStream): void {
    const next = () => {
      if (this.stream !== stream) return;
      this.isNew = true;
      void this.offer();
      this.await(stream);
    };
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  private async offer(): Promise<void> {
    if (this.isWorking || !this.isNew || !this.stream || !this.worker) return;
    this.isWorking = true;
    this.isNew = false;
    const tMs = performance.now();
    try {
      const bitmap = await createImageBitmap(this.video);
      this.tell({ kind: "picture", bitmap, tMs }, [bitmap]);
    } catch (error) {
      // The camera gave out, or was opened anew, meanwhile: the next picture is another try.
      this.isWorking = false;
      if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
    }
  }

  private tell(message: ToPoseWorker, transfer: Transferable[] = []): void {
    this.worker?.postMessage(message, transfer);
  }
}

async function opened(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new CameraRefused("unsupported");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } },
    });
  } catch (error) {
    throw new CameraRefused(problemOf(error));
  }
}

/** By the names that the Media Capture specification gives. */
function problemOf(error: unknown): CameraProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  if (name === "NotReadableError" || name === "AbortError") return "in_use";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  throw error;
}

function sizeOf(video: HTMLVideoElement): Size {
  return { width: video.videoWidth, height: video.videoHeight };
}
