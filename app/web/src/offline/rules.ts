/** What the service worker goes by, apart from the browser that it is in. */

export interface Reminder {
  body: string;
  tag: string;
  url: string;
}

const HOME = "/portal/open";

/** Whether this is an address of the portal, `/portal` or below. */
export function isPageOfPortal(url: URL): boolean {
  return url.pathname === "/portal" || url.pathname.startsWith("/portal/");
}

/** The style sheets that a page of ours links to. */
export function assetsOf(html: string): string[] {
  return [...html.matchAll(/href="(\/static\/[^"]+\.css)"/g)].map((match) => match[1] ?? "");
}

/** What a push says. One that can't be read says only that something waits in the portal. */
export function readReminder(text: string): Reminder {
  const unread = { body: "", tag: "reminder", url: HOME };
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return unread;
  }
  if (typeof found !== "object" || found === null) return unread;
  const { body, tag, url } = found as Record<string, unknown>;
  if (typeof body !== "string" || typeof tag !== "string" || typeof url !== "string") return unread;
  // Only to the portal, whoever sent it.
  const target = new URL(url, "https://portal.invalid");
  const ours = target.host === "portal.invalid" && isPageOfPortal(target);
  return { body, tag, url: ours ? target.pathname : HOME };
}
