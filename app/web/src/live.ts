import "./styles.css";
import { showOneAtATime } from "./cards";
import { drawDemonstration } from "./demonstration";
import { runLivePage } from "./live/page";

for (const figure of document.querySelectorAll<HTMLElement>("[data-demonstration]")) {
  drawDemonstration(figure);
}
for (const cards of document.querySelectorAll<HTMLElement>("[data-cards]")) {
  showOneAtATime(cards);
}
for (const root of document.querySelectorAll<HTMLElement>("[data-live]")) {
  void runLivePage(root);
}
