/** Range of motion and pain by session, for a glance; each alone or both on one axis of days. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figureData, keepWidth } from "./figure_data";
import { degreesShown, type TrendData } from "./trend_data";

const HEIGHT = 190;
const ROM = "#0b5c7a";
const PAIN = "#9c2b20";
const TARGET = "#d5ecdd";
const DAY_S = 86_400;

export function drawTrendPlot(figure: HTMLElement): void {
  const { data, place } = figureData<TrendData>(figure);
  const day = new Intl.DateTimeFormat(document.documentElement.lang, {
    month: "short",
    day: "numeric",
  });
  const axes: uPlot.Axis[] = [
    {
      incrs: [1, 2, 7, 14, 28, 56, 112].map((days) => days * DAY_S),
      space: 64,
      values: (_plot, splits) => splits.map((second) => day.format(second * 1000)),
    },
  ];
  const series: uPlot.Series[] = [{}];
  const columns: (number | null)[][] = [data.t_s];
  if (data.rom_deg) {
    axes.push({ scale: "deg", label: data.labels.rom, stroke: ROM });
    const points = { show: true, size: 6, fill: ROM };
    series.push({ scale: "deg", stroke: ROM, width: 2, points });
    columns.push(data.rom_deg);
  }
  if (data.pain) {
    const beside = data.rom_deg ? { side: 1, grid: { show: false } } : {};
    axes.push({ scale: "pain", label: data.labels.pain, stroke: PAIN, ...beside } as uPlot.Axis);
    const points = { show: true, size: 5 };
    series.push({ scale: "pain", stroke: PAIN, width: 2, dash: [6, 4], points });
    columns.push(data.pain);
  }
  const options: uPlot.Options = {
    width: place.clientWidth || 600,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { deg: { range: () => degreesShown(data) }, pain: { range: [0, 10] } },
    axes,
    series,
    hooks: { drawClear: [(plot) => shadeTarget(plot, data)] },
  };
  keepWidth(new uPlot(options, columns as uPlot.AlignedData, place), place, HEIGHT);
}

function shadeTarget(plot: uPlot, data: TrendData): void {
  if (!data.target_deg || !data.rom_deg) return;
  const { left, top, width, height } = plot.bbox;
  const at = plot.valToPos(data.target_deg.at, "deg", true);
  plot.ctx.fillStyle = TARGET;
  if (data.target_deg.upwards) plot.ctx.fillRect(left, top, width, at - top);
  else plot.ctx.fillRect(left, at, width, top + height - at);
}
