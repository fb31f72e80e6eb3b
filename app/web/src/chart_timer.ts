/** The chart's timer: counts use, one tab at a time, and tells the server each half minute. */

import { ActivityClock, type Interval } from "./activity_clock";
import { csrfToken } from "./csrf";
import { type ClockState, OneTabClock } from "./one_tab_clock";

const IDLE_MS = 60_000;
const SEND_EVERY_MS = 30_000;
const INPUTS = ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"] as const;
const WORDS: Record<ClockState, string> = {
  running: "running",
  idle: "paused, no activity",
  elsewhere: "paused, another chart is in use",
};

/** What the server would not take: sending it again would not help. */
class Refused extends Error {
  constructor(status: number) {
    super(
      status === 422
        ? "not saved: is this computer's clock right?"
        : "not saved: open this chart in the EHR again",
    );
  }
}

export function startChartTimer(element: HTMLElement, state: HTMLElement | null): void {
  const url = element.dataset.heartbeatUrl;
  if (!url) throw new Error("the chart timer has no data-heartbeat-url");
  const patient = Number(element.dataset.patient);
  const waitingMs = Number(element.dataset.waitingS ?? 0) * 1000;
  const clock = new OneTabClock(new ActivityClock(IDLE_MS), IDLE_MS, navigator.locks);
  const unsent: Interval[] = [];
  const underWay = new Set<Promise<void>>();
  let problem = "";

  const deliver = async (interval: Interval): Promise<void> => {
    try {
      await post(url, patient, interval);
      problem = "";
    } catch (error) {
      const refused = error instanceof Refused;
      if (!refused) unsent.push(interval); // tried again with the next
      problem = refused ? error.message : "not saved yet: no connection";
    }
  };
  const send = (): void => {
    unsent.push(...clock.take());
    for (const interval of unsent.splice(0)) {
      const delivery = deliver(interval).finally(() => underWay.delete(delivery));
      underWay.add(delivery);
    }
  };
  const input = () => {
    if (!document.hidden) clock.input();
  };
  const stop = () => {
    clock.pause();
    send();
  };

  input(); // opening the chart is something done
  for (const name of INPUTS) {
    addEventListener(name, input, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
  });
  addEventListener("pagehide", stop);
  setInterval(send, SEND_EVERY_MS);
  setInterval(() => {
    clock.tick();
    element.textContent = minutes(waitingMs + clock.elapsed());
    if (state) state.textContent = problem || WORDS[clock.state];
  }, 1000);

  const finish = document.querySelector<HTMLFormElement>("form[data-finish-work]");
  finish?.addEventListener("submit", (event) => {
    event.preventDefault();
    stop();
    // What can still be saved is saved before the page that shows it.
    void Promise.all(underWay).then(() => {
      if (unsent.length === 0) finish.submit();
    });
  });
}

const ids = new WeakMap<Interval, string>();

/** The id stays with the interval, so that sending it again does not count twice. */
async function post(url: string, patient: number, interval: Interval): Promise<void> {
  const id = ids.get(interval) ?? crypto.randomUUID();
  ids.set(interval, id);
  const response = await fetch(url, {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify({
      patient,
      interval_id: id,
      start: new Date(interval.start).toISOString(),
      end: new Date(interval.end).toISOString(),
    }),
  });
  if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
  if (!response.ok) throw new Refused(response.status);
}

function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
