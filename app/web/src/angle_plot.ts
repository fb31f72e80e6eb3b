/** The session's joint angle over time, repetitions shaded and peaks marked. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figureData, keepWidth } from "./figure_data";
import { words } from "./words";

const HEIGHT = 240;

interface Repetition {
  start_s: number;
  peak_s: number;
  end_s: number;
  peak_deg: number;
}

export interface AngleData {
  t_s: number[];
  angle_deg: (number | null)[];
  repetitions: Repetition[];
}

export function drawAnglePlot(figure: HTMLElement): void {
  const { data, place } = figureData<AngleData>(figure);
  const options: uPlot.Options = {
    width: place.clientWidth || 600,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [{ label: words("plot.seconds") }, { label: words("plot.degrees") }],
    series: [{}, { stroke: "#0b5c7a", width: 2, spanGaps: false }],
    hooks: { drawClear: [(plot) => shade(plot, data)], draw: [(plot) => mark(plot, data)] },
  };
  keepWidth(new uPlot(options, [data.t_s, data.angle_deg], place), place, HEIGHT);
}

function shade(plot: uPlot, data: AngleData): void {
  const { ctx, bbox } = plot;
  ctx.fillStyle = "rgba(39, 174, 96, 0.15)";
  for (const repetition of data.repetitions) {
    const left = plot.valToPos(repetition.start_s, "x", true);
    ctx.fillRect(left, bbox.top, plot.valToPos(repetition.end_s, "x", true) - left, bbox.height);
  }
}

function mark(plot: uPlot, data: AngleData): void {
  const { ctx } = plot;
  ctx.fillStyle = "#9c2b20";
  for (const repetition of data.repetitions) {
    const x = plot.valToPos(repetition.peak_s, "x", true);
    const y = plot.valToPos(repetition.peak_deg, "y", true);
    ctx.beginPath();
    ctx.arc(x, y, 5 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
  }
}
