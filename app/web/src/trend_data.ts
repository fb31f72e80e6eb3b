/** What a trend plot is given, and how much of the degrees it shows. */

export interface TrendData {
  /** Seconds since 1970 at the start of each session. */
  t_s: number[];
  rom_deg?: (number | null)[];
  pain?: (number | null)[];
  /** What is to be reached: at least `at` where `upwards`, else at most. */
  target_deg?: { at: number; upwards: boolean } | null;
  labels: { rom: string; pain: string };
}

/** From zero, or below it where the joint went, to a little above what was reached and wanted. */
export function degreesShown(data: TrendData): [number, number] {
  const values = (data.rom_deg ?? []).filter((value) => value !== null);
  const target = data.target_deg?.at ?? 0;
  return [Math.min(0, target, ...values), 1.1 * Math.max(10, target, ...values)];
}
