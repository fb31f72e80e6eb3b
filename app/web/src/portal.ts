import "./styles.css";
import { drawAnglePlot } from "./angle_plot";
import { showOneAtATime } from "./cards";
import { drawDemonstration } from "./demonstration";
import { sendUnsent } from "./live/unsent";
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
for (const cards of document.querySelectorAll<HTMLElement>("[data-cards]")) {
  showOneAtATime(cards);
}
for (const element of document.querySelectorAll<HTMLElement>("[data-await-result]")) {
  awaitResult(element);
}
for (const place of document.querySelectorAll<HTMLElement>("[data-unsent]")) {
  void sendUnsent(place);
}
