/** Notices that nobody is seen any more, and that somebody is again. */

import { type Frame, isFound } from "../coach/landmarks";

/** House choice: longer than a turn away, shorter than people wait for a count that stands. */
const GONE_S = 2;

export class Absence {
  private seenS: number | null = null;
  private isGone = false;

  /** What is new with `frame`; null while nothing is. */
  update(frame: Frame): "gone" | "back" | null {
    if (isFound(frame) || this.seenS === null) this.seenS = frame.tS;
    const gone = frame.tS - this.seenS >= GONE_S;
    if (gone === this.isGone) return null;
    this.isGone = gone;
    return gone ? "gone" : "back";
  }
}
