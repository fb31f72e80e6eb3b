/** A figure of the page: the JSON that the server put into it, and the place to draw in. */

import type uPlot from "uplot";

export function figureData<T>(figure: HTMLElement): { data: T; place: HTMLElement } {
  const source = figure.querySelector('script[type="application/json"]')?.textContent;
  const place = figure.querySelector<HTMLElement>("[data-plot]");
  if (!source || !place) throw new Error("the plot has no data or no place");
  return { data: JSON.parse(source) as T, place };
}

/** Draws anew at the width that the figure gets. */
export function keepWidth(plot: uPlot, place: HTMLElement, height: number): void {
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height })).observe(place);
}
