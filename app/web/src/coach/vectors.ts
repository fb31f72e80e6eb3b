/** Vectors of a picture (two numbers, y down) or of the world (three, y down too). */

export type Vector = readonly number[];

const DEGREES = 180 / Math.PI;

export function minus(first: Vector, second: Vector): Vector {
  return first.map((value, index) => value - at(second, index));
}

export function plus(first: Vector, second: Vector): Vector {
  return first.map((value, index) => value + at(second, index));
}

export function times(vector: Vector, factor: number): Vector {
  return vector.map((value) => value * factor);
}

export function dot(first: Vector, second: Vector): number {
  return first.reduce((sum, value, index) => sum + value * at(second, index), 0);
}

export function length(vector: Vector): number {
  return Math.sqrt(dot(vector, vector));
}

export function cross(first: Vector, second: Vector): Vector {
  const [a, b, c] = [at(first, 0), at(first, 1), at(first, 2)];
  const [d, e, f] = [at(second, 0), at(second, 1), at(second, 2)];
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

/** Of length 1; NaN where there is no direction. */
export function unit(vector: Vector): Vector {
  const size = length(vector);
  return times(vector, 1 / (size > 0 ? size : Number.NaN));
}

/** `vector` less its part along the unit vector `axis`. */
export function without(vector: Vector, axis: Vector): Vector {
  return minus(vector, times(axis, dot(vector, axis)));
}

/** The unit vector downwards, of the picture or the world as `like` is. */
export function vertical(like: Vector): Vector {
  return like.map((_, index) => (index === 1 ? 1 : 0));
}

/** The angle between two vectors, 0–180 deg. */
export function between(first: Vector, second: Vector): number {
  const sine =
    first.length === 2
      ? Math.abs(at(first, 0) * at(second, 1) - at(first, 1) * at(second, 0))
      : length(cross(first, second));
  return Math.atan2(sine, dot(first, second)) * DEGREES;
}

/** The angle of (`along`, `upright`) from the first, −180–180 deg. */
export function angleOf(upright: number, along: number): number {
  return Math.atan2(upright, along) * DEGREES;
}

/** The direction of `line` in deg as seen from above. */
export function heading(line: Vector): number {
  return angleOf(at(line, 2), at(line, 0));
}

/** The angle between two directions, 0 to half of `fullTurnDeg`. */
export function turned(firstDeg: number, secondDeg: number, fullTurnDeg: number): number {
  const half = fullTurnDeg / 2;
  return Math.abs(modulo(firstDeg - secondDeg + half, fullTurnDeg) - half);
}

/** The remainder that is never negative. */
export function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

export function at(vector: Vector, index: number): number {
  return vector[index] ?? Number.NaN;
}
