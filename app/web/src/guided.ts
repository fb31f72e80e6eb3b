import "./styles.css";
import { showOneAtATime } from "./cards";
import { drawDemonstration } from "./demonstration";
import { runGuidedPage } from "./guided/page";

for (const cards of document.querySelectorAll<HTMLElement>("[data-cards]")) {
  showOneAtATime(cards);
}
for (const figure of document.querySelectorAll<HTMLElement>("[data-demonstration]")) {
  drawDemonstration(figure);
}
for (const root of document.querySelectorAll<HTMLElement>("[data-guided]")) {
  void runGuidedPage(root);
}
