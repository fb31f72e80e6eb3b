/** Range of motion and pain by session, for the clinician's glance. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figureData, keepWidth } from "./figure_data";

export interface TrendData {
  /** Seconds since 1970 at the start of each session. */
  t_s: number[];
  rom_deg: (number | null)[];
  pain: (number | null)[];
}

const HEIGHT = 190;
const ROM = "#0b5c7a";
const PAIN = "#9c2b20";

export function drawTrendPlot(figure: HTMLElement): void {
  const { data, place } = figureData<TrendData>(figure);
  const options: uPlot.Options = {
    width: place.clientWidth || 600,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { deg: { range: (_plot, _low, high) => [0, high * 1.1] }, pain: { range: [0, 10] } },
    axes: [
      {},
      { scale: "deg", label: "range of motion (°)", stroke: ROM },
      { scale: "pain", label: "pain (0–10)", side: 1, stroke: PAIN, grid: { show: false } },
    ],
    series: [
      {},
      { scale: "deg", stroke: ROM, width: 2, points: { show: true, size: 6, fill: ROM } },
      { scale: "pain", stroke: PAIN, width: 2, dash: [6, 4], points: { show: true, size: 5 } },
    ],
  };
  keepWidth(new uPlot(options, [data.t_s, data.rom_deg, data.pain], place), place, HEIGHT);
}
