/** Keeps the screen on during a session: nobody touches it while exercising. */

export class Awake {
  private wanted = false;
  private lock: WakeLockSentinel | null = null;

  constructor() {
    // The browser lets go of it whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  /** Whether the screen is being kept on. */
  get isOn(): boolean {
    return this.lock !== null && !this.lock.released;
  }

  async keep(): Promise<void> {
    this.wanted = true;
    await this.ask();
  }

  async letGo(): Promise<void> {
    this.wanted = false;
    await this.lock?.release();
    this.lock = null;
  }

  private async ask(): Promise<void> {
    if (!this.wanted || this.isOn || document.visibilityState !== "visible") return;
    if (!("wakeLock" in navigator)) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
      if (!this.wanted) await this.letGo();
    } catch (error) {
      // A device low on battery may refuse; the session goes on without.
      if (!(error instanceof DOMException && error.name === "NotAllowedError")) throw error;
    }
  }
}
