/** Sending a session: size checked first, progress shown, tried again with the same id. */

import { csrfToken } from "./csrf";
import { share, words } from "./words";

const TRIES = 4;
const WAIT_MS = [0, 1000, 3000, 8000];

export function tooLarge(bytes: number, most: number): string | null {
  if (bytes <= most) return null;
  const mb = (value: number) => Math.ceil(value / 1_048_576);
  return words("upload.too_large", { size: mb(bytes), most: mb(most) });
}

export function enhanceUpload(form: HTMLFormElement): void {
  const message = form.querySelector<HTMLElement>("[data-upload-message]");
  const bar = form.querySelector<HTMLElement>("[data-upload-progress]");
  const started = form.querySelector<HTMLInputElement>('input[name="started_at"]');
  if (started && !started.value) started.value = new Date().toISOString();
  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    const say = (text: string) => {
      if (message) message.textContent = text;
    };
    try {
      const file = form.querySelector<HTMLInputElement>('input[type="file"]')?.files?.[0];
      const problem = file ? tooLarge(file.size, Number(form.dataset.maxBytes)) : null;
      if (problem) {
        say(problem);
        return;
      }
      say(words("upload.sending"));
      const answer = await sendWithRetry(form, bar);
      if (answer.result) location.assign(answer.result);
      else say(answer.error ?? words("upload.failed"));
    } catch {
      say(words("upload.offline"));
    } finally {
      sending = false;
    }
  });
}

interface Answer {
  result?: string;
  error?: string;
}

async function sendWithRetry(form: HTMLFormElement, bar: HTMLElement | null): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS[attempt] ?? 0));
    try {
      return await send(form, bar);
    } catch (error) {
      if (attempt + 1 >= TRIES) throw error;
    }
  }
}

function send(form: HTMLFormElement, bar: HTMLElement | null): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.onprogress = (event) => {
      if (bar && event.lengthComputable) {
        bar.hidden = false;
        bar.setAttribute("role", "progressbar");
        bar.setAttribute("aria-label", words("upload.sending"));
        bar.setAttribute("aria-valuenow", String(Math.round((100 * event.loaded) / event.total)));
        bar.textContent = share(event.loaded / event.total);
      }
    };
    request.onerror = () => reject(new Error("network"));
    request.onload = () => {
      if (request.status >= 500) reject(new Error(`HTTP ${request.status}`));
      else resolve(JSON.parse(request.responseText) as Answer);
    };
    request.send(new FormData(form));
  });
}

/** Waits for the measurement, then shows the page with it. */
export function awaitResult(element: HTMLElement): void {
  const url = element.dataset.statusUrl;
  if (!url) throw new Error("data-status-url is missing");
  const look = async () => {
    const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(
      () => null,
    );
    if (response?.ok && (await response.json()).status !== "received") location.reload();
    else setTimeout(look, 1500);
  };
  setTimeout(look, 800);
}
