import "./styles.css";
import { drawAnglePlot } from "./angle_plot";
import { showOneAtATime } from "./cards";
import { drawDemonstration } from "./demonstration";
import { submitOnce } from "./form_once";
import { offerPush, registerWorker } from "./installable";
import { sendUnsent } from "./live/unsent";
import { drawTrendPlot } from "./trend_plot";
import { awaitResult, enhanceUpload } from "./upload";
import { offerStorageAccess } from "./way_out";

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
for (const figure of document.querySelectorAll<HTMLElement>("[data-trend-plot]")) {
  drawTrendPlot(figure);
}
for (const element of document.querySelectorAll<HTMLElement>("[data-await-result]")) {
  awaitResult(element);
}
for (const place of document.querySelectorAll<HTMLElement>("[data-unsent]")) {
  void sendUnsent(place);
}
const ask = document.querySelector<HTMLButtonElement>("[data-storage-access]");
if (ask) offerStorageAccess(ask, document.querySelector("[data-storage-access-message]"));
submitOnce();
const worker = registerWorker();
for (const place of document.querySelectorAll<HTMLElement>("[data-push]")) {
  void offerPush(place, worker);
}
