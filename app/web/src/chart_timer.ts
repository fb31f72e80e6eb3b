/** The chart's timer: counts use, one tab at a time, and tells the server each half minute. */

import { ActivityClock, type Interval } from "./activity_clock";
import { csrfToken } from "./csrf";

const IDLE_MS = 60_000;
const SEND_EVERY_MS = 30_000;
const INPUTS = ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"] as const;

export function startChartTimer(element: HTMLElement, state: HTMLElement | null): void {
  const url = element.dataset.heartbeatUrl;
  if (!url) throw new Error("the chart timer has no data-heartbeat-url");
  // The lock is held by one tab of this browser at a time: the others wait and do not count.
  void navigator.locks.request("homestretch-chart-timer", () => run(element, state, url));
}

function run(element: HTMLElement, state: HTMLElement | null, url: string): Promise<never> {
  const clock = new ActivityClock(IDLE_MS);
  const unsent: Interval[] = [];
  const send = () => {
    unsent.push(...clock.take(Date.now()));
    for (const interval of unsent.splice(0)) {
      post(url, interval).catch(() => unsent.push(interval)); // tried again with the next
    }
  };
  clock.input(Date.now());
  for (const name of INPUTS) {
    addEventListener(name, () => clock.input(Date.now()), { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clock.pause(Date.now());
      send();
    }
  });
  addEventListener("pagehide", send);
  setInterval(send, SEND_EVERY_MS);
  setInterval(() => show(element, state, clock), 1000);
  return new Promise(() => {}); // keeps the lock until the page goes
}

const ids = new WeakMap<Interval, string>();

/** The id stays with the interval, so that sending it again does not count twice. */
async function post(url: string, interval: Interval): Promise<void> {
  const id = ids.get(interval) ?? crypto.randomUUID();
  ids.set(interval, id);
  const response = await fetch(url, {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify({
      interval_id: id,
      start: new Date(interval.start).toISOString(),
      end: new Date(interval.end).toISOString(),
    }),
  });
  if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
}

function show(element: HTMLElement, state: HTMLElement | null, clock: ActivityClock): void {
  const now = Date.now();
  const seconds = Math.floor(clock.elapsed(now) / 1000);
  element.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (state) state.textContent = clock.isActive(now) ? "running" : "paused, no activity";
}
