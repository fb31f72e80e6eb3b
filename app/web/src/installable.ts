/** The portal as an app on the device: its service worker, and reminders on this device. */

import { csrfToken } from "./csrf";

const WORKER = "/portal/service-worker.js";
const SCOPE = "/portal";

/** The portal's service worker; null where the browser has none, as without HTTPS. */
export async function registerWorker(): Promise<ServiceWorkerRegistration | null> {
  if (!("serviceWorker" in navigator)) return null;
  try {
    return await navigator.serviceWorker.register(WORKER, { scope: SCOPE, updateViaCache: "none" });
  } catch (error) {
    // The portal works without; what is missing is the page for when there is no connection.
    console.error(error);
    return null;
  }
}

/** A button that turns reminders on for this browser, or why there is none. */
export async function offerPush(
  place: HTMLElement,
  worker: Promise<ServiceWorkerRegistration | null>,
): Promise<void> {
  const button = place.querySelector("button");
  const { push: address, key } = place.dataset;
  if (!button || !address || !key) throw new Error("the page has no button for reminders");
  const registration = await worker;
  if (!registration || !("PushManager" in window)) return say(place, "unsupported");
  const subscription = await registration.pushManager.getSubscription();
  button.hidden = subscription !== null && Notification.permission === "granted";
  if (Notification.permission === "denied") return say(place, "denied");
  button.addEventListener("click", () => void turnOn(place, registration, address, key));
}

async function turnOn(
  place: HTMLElement,
  registration: ServiceWorkerRegistration,
  address: string,
  key: string,
): Promise<void> {
  say(place, null);
  if ((await Notification.requestPermission()) !== "granted") return say(place, "denied");
  try {
    await navigator.serviceWorker.ready;
    const earlier = await registration.pushManager.getSubscription();
    // One to another key of ours does not work any more.
    if (earlier) await earlier.unsubscribe();
    const subscription = await registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: key,
    });
    const answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify(subscription),
    });
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  } catch (error) {
    console.error(error);
    return say(place, "failed");
  }
  location.reload();
}

/** Shows the sentence of that state, or none. */
function say(place: HTMLElement, state: string | null): void {
  for (const words of place.querySelectorAll<HTMLElement>("[data-state]")) {
    words.hidden = words.dataset.state !== state;
  }
}
