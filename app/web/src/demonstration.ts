/** An exercise shown by a moving stick figure, or as still pictures where motion is unwelcome. */

import "./demonstration.css";
import { figureData } from "./figure_data";

const SVG = "http://www.w3.org/2000/svg";

type Layer = "far" | "middle" | "near";
const LAYERS: Layer[] = ["far", "middle", "near"];

interface Bone {
  start: number;
  end: number;
  layer: Layer;
}

/** What the server sends; a frame is x and y of every joint in turn, in the units of `box`. */
export interface DrawingData {
  duration_s: number;
  box: [number, number, number, number];
  bones: Bone[];
  head: number;
  head_radius: number;
  props: [number, number][][];
  frames: number[][];
  stills: { frame: number[]; step: number }[];
  steps: string[];
}

/** The frame at a time since the start, between the two nearest; the last leads to the first. */
export function frameAt(data: DrawingData, elapsed_s: number): number[] {
  const place = ((elapsed_s / data.duration_s) % 1) * data.frames.length;
  const index = Math.floor(place);
  const before = data.frames[index] ?? [];
  const after = data.frames[(index + 1) % data.frames.length] ?? before;
  return before.map((value, n) => value + (place - index) * ((after[n] ?? value) - value));
}

/** One still a step: the last pose that shows it. */
export function stillsByStep(data: DrawingData): { frame: number[]; step: number }[] {
  const byStep = new Map(data.stills.map((still) => [still.step, still]));
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

export function drawDemonstration(figure: HTMLElement): void {
  const { data, place } = figureData<DrawingData>(figure);
  const label = figure.dataset.label ?? "";
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    place.append(strip(data, label));
    return;
  }
  const { svg, show } = picture(data, label);
  show(frameAt(data, 0));
  place.append(svg);
  const button = figure.querySelector<HTMLButtonElement>("[data-pause]");
  if (!button) throw new Error("the demonstration has no button");
  button.hidden = false;
  animate(button, (elapsed_s) => show(frameAt(data, elapsed_s)));
}

function strip(data: DrawingData, label: string): HTMLElement {
  const list = document.createElement("ol");
  list.className = "demonstration__strip";
  for (const { frame, step } of stillsByStep(data)) {
    const caption = `${step}. ${data.steps[step - 1] ?? ""}`;
    const { svg, show } = picture(data, `${label}: ${caption}`);
    show(frame);
    const item = document.createElement("li");
    item.append(svg, caption);
    list.append(item);
  }
  return list;
}

/** Time runs only while playing, so that a pause goes on where it stopped. */
function animate(button: HTMLButtonElement, show: (elapsed_s: number) => void): void {
  let playing = true;
  let elapsed_s = 0;
  let last_ms: number | undefined;
  const tick = (now_ms: number): void => {
    elapsed_s += (now_ms - (last_ms ?? now_ms)) / 1000;
    last_ms = now_ms;
    show(elapsed_s);
    pending = requestAnimationFrame(tick);
  };
  let pending = requestAnimationFrame(tick);
  button.addEventListener("click", () => {
    playing = !playing;
    last_ms = undefined;
    button.textContent = (playing ? button.dataset.pause : button.dataset.play) ?? "";
    if (playing) pending = requestAnimationFrame(tick);
    else cancelAnimationFrame(pending);
  });
}

function picture(
  data: DrawingData,
  label: string,
): { svg: SVGSVGElement; show: (frame: number[]) => void } {
  const svg = make("svg", { viewBox: data.box.join(" "), role: "img", "aria-label": label });
  for (const points of data.props) {
    svg.append(make("polyline", { class: "demonstration__prop", points: points.join(" ") }));
  }
  const bones = LAYERS.flatMap((layer) => data.bones.filter((bone) => bone.layer === layer));
  const lines = bones.map((bone) => {
    const kind = `demonstration__bone demonstration__bone--${bone.layer}`;
    return { bone, line: make("line", { class: kind }) };
  });
  const head = make("circle", { class: "demonstration__head", r: String(data.head_radius) });
  svg.append(...lines.map(({ line }) => line), head);
  const show = (frame: number[]): void => {
    for (const { bone, line } of lines) {
      place(line, ["x1", "y1"], frame, bone.start);
      place(line, ["x2", "y2"], frame, bone.end);
    }
    place(head, ["cx", "cy"], frame, data.head);
  };
  return { svg, show };
}

function place(element: SVGElement, names: [string, string], frame: number[], joint: number): void {
  names.forEach((name, n) => {
    element.setAttribute(name, (frame[2 * joint + n] ?? 0).toFixed(1));
  });
}

function make<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
