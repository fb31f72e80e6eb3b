/** Medians and percentiles as the server computes them. */

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** By linear interpolation between the neighbours; NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = ((sorted.length - 1) * percent) / 100;
  const low = Math.floor(position);
  const below = sorted[low] ?? Number.NaN;
  if (low === position) return below; // an infinite neighbour would spoil it
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - low);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The values at the times `at`, between the points (`x`, `y`) on a line, beyond them level. */
export function interpolate(at: number, x: readonly number[], y: readonly number[]): number {
  const last = x.length - 1;
  const right = x.findIndex((value) => value >= at);
  if (right === 0) return y[0] ?? Number.NaN;
  if (right < 0) return y[last] ?? Number.NaN;
  const [x0, x1] = [x[right - 1] ?? 0, x[right] ?? 0];
  const [y0, y1] = [y[right - 1] ?? 0, y[right] ?? 0];
  return y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}
