/** One session with the coach: from the first good picture to the last repetition. */

import type { Dose, Exercise } from "../coach/exercise";
import { type BodySide, type Frame, type Size, type View, withoutAnyone } from "../coach/landmarks";
import { LiveCoach } from "../coach/live_coach";
import type { Reading } from "../coach/live_counter";
import { Absence } from "./absence";
import { FaultWatch } from "./fault_watch";
import { OnePerson } from "./one_person";
import { picturesFaults } from "./picture_check";
import { SetKeeper, type Stage } from "./set_keeper";

/** What the page is told by the server. */
export interface CoachPage {
  sessionId: string;
  addresses: { pieces: string; finish: string };
  exercise: Exercise;
  side: BodySide | null;
  cameraView: View | "any" | null;
  dose: Dose;
  messages: Record<string, string>;
}

/** What the page shows after a frame. `share` is how far of the way to the target, 0–1. */
export interface Shown {
  stage: Stage;
  count: number;
  share: number;
  holdS: number | null;
  cue: string | null;
  /** What is new of the person: nobody is seen, somebody else is, or the person is again. */
  person: "gone" | "another" | "back" | null;
}

/** The picture is judged by the last second. */
const CHECKED_S = 1;

/** The tracker takes a shadow for a person now and then, but not half of the time. */
const ACCOMPANIED_SHARE = 0.5;

export class PictureCheck {
  private frames: (readonly [Frame, number])[] = [];

  constructor(
    private readonly page: CoachPage,
    private readonly size: Size,
  ) {}

  /** What to mend, in plain words; empty where the picture will do. `people` are in the picture. */
  update(frame: Frame, people: number): string[] {
    const lately = this.frames.filter(([each]) => each.tS >= frame.tS - CHECKED_S);
    this.frames = [...lately, [frame, people]];
    const { exercise, side, cameraView, messages } = this.page;
    const window = { frames: this.frames.map(([each]) => each), ...this.size };
    const accompanied = this.frames.filter(([, count]) => count > 1).length;
    const ids = [
      ...picturesFaults(window, exercise, side, cameraView),
      ...(accompanied >= ACCOMPANIED_SHARE * this.frames.length ? ["second_person"] : []),
    ];
    return ids.flatMap((id) => messages[id] ?? []);
  }
}

export class Session {
  private readonly coach: LiveCoach;
  private readonly sets: SetKeeper;
  private readonly faults: FaultWatch;
  private readonly one: OnePerson;
  private readonly absence = new Absence();
  private heldSinceS: number | null = null;
  count = 0;

  constructor(
    private readonly page: CoachPage,
    size: Size,
  ) {
    this.one = new OnePerson(size);
    this.coach = new LiveCoach(page.exercise, page.side, size);
    this.sets = new SetKeeper(page.dose);
    this.faults = new FaultWatch(page.exercise, page.side);
  }

  update(seen: Frame): Shown {
    const another = this.one.isAnother(seen);
    const frame = another ? withoutAnyone(seen) : seen;
    const reading = this.coach.update(frame);
    this.count = reading.count;
    const stage = this.sets.update(frame.tS, reading.count);
    // Whoever rests may leave.
    const change = stage.kind === "moving" ? this.absence.update(frame) : null;
    const moving = stage.kind === "moving" && reading.phase !== "rest";
    return {
      stage,
      count: reading.count,
      share: this.share(reading),
      holdS: this.held(frame.tS, reading),
      cue: this.faults.update(this.coach.window, moving),
      person: change === "gone" && another ? "another" : change,
    };
  }

  goOn(): void {
    this.sets.goOn();
  }

  private share(reading: Reading): number {
    if (reading.angleDeg === null) return 0;
    const { restDeg, targetDeg } = this.page.exercise.angle;
    const way = (reading.angleDeg - restDeg) / (targetDeg - restDeg);
    return Math.min(1, Math.max(0, way));
  }

  /** For how long the top is being held; null where the dose asks for no hold. */
  private held(tS: number, reading: Reading): number | null {
    if (this.page.dose.holdS <= 0) return null;
    if (reading.phase !== "top") {
      this.heldSinceS = null;
      return 0;
    }
    this.heldSinceS ??= tS;
    return tS - this.heldSinceS;
  }
}
