/**
 * The portal's service worker: a page in plain words without a connection, and reminders.
 *
 * It keeps that page and its styles, and nothing else: no page of a patient, and no code, so that
 * a new release is there at once. The coach's model stays with the browser's own cache, which
 * `coach/download.ts` fills.
 */

import { assetsOf, isPageOfPortal, type Reminder, readReminder } from "./offline/rules";

declare const self: ServiceWorkerGlobalScope;

const OFFLINE = "/portal/offline";
const CACHE = "homestretch-offline";

self.addEventListener("install", (event) => {
  event.waitUntil(keepOfflinePage().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && isPageOfPortal(new URL(request.url))) {
    event.respondWith(fetch(request).catch(() => offlinePage()));
  } else if (request.destination === "style") {
    event.respondWith(fetch(request).catch(() => kept(request.url)));
  }
});

self.addEventListener("push", (event) => {
  event.waitUntil(show(readReminder(event.data?.text() ?? "")));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});

/** Anew at each installation. Without cookies: what is kept is of nobody. */
async function keepOfflinePage(): Promise<void> {
  const answer = await fetch(OFFLINE, { credentials: "omit", cache: "reload" });
  if (!answer.ok) throw new Error(`${OFFLINE} answered ${answer.status}`);
  const styles = assetsOf(await answer.clone().text());
  await caches.delete(CACHE);
  const cache = await caches.open(CACHE);
  await Promise.all([cache.put(OFFLINE, answer), cache.addAll(styles)]);
}

function offlinePage(): Promise<Response> {
  return kept(OFFLINE);
}

async function kept(url: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(url)) ?? Response.error();
}

function show(reminder: Reminder): Promise<void> {
  const { body, tag, url } = reminder;
  const icon = "/portal/icons/icon-192.png";
  return self.registration.showNotification("Homestretch", { body, tag, icon, data: { url } });
}

/** The tab that shows the portal already, or a new one. */
async function open(url: string): Promise<void> {
  const tabs = await self.clients.matchAll({ type: "window" });
  const tab = tabs.find((each) => isPageOfPortal(new URL(each.url)));
  if (!tab) await self.clients.openWindow(url);
  else if (new URL(tab.url).pathname === url) await tab.focus();
  else await self.clients.openWindow(url);
}
