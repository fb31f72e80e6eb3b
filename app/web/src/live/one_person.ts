/** Keeping the count to one person (`vision/one_person.py`, which looks at the whole recording).
 *
 * Between two frames nobody gets far: a body that is suddenly elsewhere, or of another size, is
 * another one, and stays so until the next such jump. The person is the one seen for longer.
 */

import { type Frame, LANDMARK, picturePoint, type Size } from "../coach/landmarks";
import { length, minus, plus, times, type Vector } from "../coach/vectors";

const FASTEST_PER_S = 10;
const SCATTER = 0.75;
const SIZE_RATIO = 1.5;
const SIZE_HOLDS_S = 0.5;

const TRUNK = [
  LANDMARK.LEFT_SHOULDER,
  LANDMARK.RIGHT_SHOULDER,
  LANDMARK.LEFT_HIP,
  LANDMARK.RIGHT_HIP,
] as const;
const BODY = [...TRUNK, LANDMARK.LEFT_KNEE, LANDMARK.RIGHT_KNEE] as const;

interface Body {
  tS: number;
  place: Vector;
  size: number;
}

export class OnePerson {
  private last: Body | null = null;
  private followed: Body | null = null;
  private isOther = false;
  private followedFrames = 0;
  private othersFrames = 0;

  constructor(private readonly size: Size) {}

  /** Whether `frame` shows somebody else than the person of the session. */
  isAnother(frame: Frame): boolean {
    const body = bodyOf(frame, this.size);
    if (body === null) return this.isOther;
    if (this.last && !couldBeOne(this.last, body)) {
      this.isOther = this.followed !== null && !couldBeOne(this.followed, body);
      this.othersFrames = 0;
    }
    this.last = body;
    if (this.isOther) this.othersFrames += 1;
    if (this.othersFrames > this.followedFrames) this.isOther = false;
    if (this.isOther) return true;
    this.followed = body;
    this.followedFrames += 1;
    return false;
  }
}

function bodyOf(frame: Frame, size: Size): Body | null {
  const point = (mark: number) => picturePoint(frame, mark, { frames: [], ...size });
  const points = BODY.map(point);
  if (!points.every((each) => each.every(Number.isFinite))) return null;
  const centre = middleOf(points);
  const squares = points.map((each) => length(minus(each, centre)) ** 2);
  return {
    tS: frame.tS,
    place: middleOf(TRUNK.map(point)),
    size: Math.sqrt(squares.reduce((sum, each) => sum + each, 0) / squares.length),
  };
}

function couldBeOne(first: Body, second: Body): boolean {
  const apartS = Math.abs(second.tS - first.tS);
  const larger = Math.max(first.size, second.size);
  const moved = length(minus(second.place, first.place));
  const near = moved <= (SCATTER + FASTEST_PER_S * apartS) * larger;
  const alike = larger <= SIZE_RATIO * Math.min(first.size, second.size);
  return near && (alike || apartS > SIZE_HOLDS_S);
}

function middleOf(points: readonly Vector[]): Vector {
  return times(
    points.reduce((sum, each) => plus(sum, each)),
    1 / points.length,
  );
}
