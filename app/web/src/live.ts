import "./styles.css";
import { drawDemonstration } from "./demonstration";
import { runLivePage } from "./live/page";

for (const figure of document.querySelectorAll<HTMLElement>("[data-demonstration]")) {
  drawDemonstration(figure);
}
for (const root of document.querySelectorAll<HTMLElement>("[data-live]")) {
  void runLivePage(root);
}
