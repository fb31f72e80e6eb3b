import "./styles.css";
import { drawAnglePlot } from "./angle_plot";
import { drawDemonstration } from "./demonstration";
import { sendUnsent } from "./live/unsent";
import { drawTrendPlot } from "./trend_plot";
import { awaitResult, enhanceUpload } from "./upload";

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-upload]")) {
  enhanceUpload(form);
}
for (const figure of document.querySelectorAll<HTMLElement>("[data-angle-plot]")) {
  drawAnglePlot(figure);
}
for (const figure of document.querySelectorAll<HTMLElement>("[data-demonstration]")) {
  drawDemonstration(figure);
}
for (const figure of document.querySelectorAll<HTMLElement>("[data-trend-plot]")) {
  drawTrendPlot(figure);
}
for (const element of document.querySelectorAll<HTMLElement>("[data-await-result]")) {
  awaitResult(element);
}
for (const place of document.querySelectorAll<HTMLElement>("[data-unsent]")) {
  void sendUnsent(place);
}
