import "./styles.css";
import { drawAnglePlot } from "./angle_plot";
import { startBuilder } from "./builder";
import { startChartTimer } from "./chart_timer";
import { watchConfirmForm } from "./confirm_time";
import { submitOnce } from "./form_once";
import { startReplay } from "./replay";
import { drawTrendPlot } from "./trend_plot";
import { offerStorageAccess } from "./way_out";

const timer = document.querySelector<HTMLElement>("[data-chart-timer]");
if (timer) startChartTimer(timer, document.querySelector("[data-chart-timer-state]"));
const confirmForm = document.querySelector<HTMLFormElement>("form[data-confirm-time]");
if (confirmForm) watchConfirmForm(confirmForm);
for (const figure of document.querySelectorAll<HTMLElement>("[data-trend-plot]")) {
  drawTrendPlot(figure);
}
for (const figure of document.querySelectorAll<HTMLElement>("[data-angle-plot]")) {
  drawAnglePlot(figure);
}
const replay = document.querySelector<HTMLElement>("[data-replay]");
if (replay) void startReplay(replay);
const builder = document.querySelector<HTMLFormElement>("form[data-builder]");
if (builder) startBuilder(builder);
submitOnce();
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-print]")) {
  button.addEventListener("click", () => print());
}
const ask = document.querySelector<HTMLButtonElement>("[data-storage-access]");
if (ask) offerStorageAccess(ask, document.querySelector("[data-storage-access-message]"));
