/** Sessions that are still on this device: sent when the portal is opened again. */

import { words } from "../words";
import { PieceStore, type StoredReport } from "./piece_store";
import { Sender } from "./sender";
import { sessionsOfTabs } from "./tabs";

/** Sends what is complete, and asks for what is missing of a session that was broken off. One that
 * another tab still works on is left to it. */
export async function sendUnsent(place: HTMLElement): Promise<void> {
  const store = await PieceStore.open();
  const sender = new Sender(store);
  const elsewhere = await sessionsOfTabs(navigator.locks);
  for (const stored of await store.reports()) {
    if (elsewhere.has(stored.sessionId)) continue;
    if (stored.report.pain_after === null) place.append(question(stored, store, sender));
    else await handIn(stored, sender, message(place));
  }
}

async function handIn(stored: StoredReport, sender: Sender, place: HTMLElement): Promise<void> {
  const exercise = stored.name;
  place.textContent = words("unsent.sending", { exercise });
  try {
    const outcome = await sender.finish(stored.sessionId);
    place.textContent = "result" in outcome ? words("unsent.sent", { exercise }) : outcome.refused;
  } catch {
    place.textContent = words("unsent.waiting", { exercise });
  }
}

function message(place: HTMLElement): HTMLElement {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "status");
  place.append(notice);
  return notice;
}

function question(stored: StoredReport, store: PieceStore, sender: Sender): HTMLElement {
  const template = document.querySelector<HTMLTemplateElement>("template[data-broken-off]");
  const form = template?.content.firstElementChild?.cloneNode(true);
  if (!(form instanceof HTMLFormElement)) throw new Error("the page has no form for the session");
  const name = form.querySelector("[data-name]");
  if (name) name.textContent = stored.name;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = new FormData(form).get("pain_after");
    const report = { ...stored.report, pain_after: Number(chosen) };
    await store.keepReport({ ...stored, report });
    const notice = message(form.parentElement ?? document.body);
    form.remove();
    await handIn({ ...stored, report }, sender, notice);
  });
  return form;
}
