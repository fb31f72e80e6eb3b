import { describe, expect, it } from "vitest";
import { assetsOf, isPageOfPortal, readReminder } from "../src/offline/rules";

const at = (path: string) => new URL(path, "https://rtm.example");

describe("isPageOfPortal", () => {
  it("is the portal and what is below it, and nothing that only begins alike", () => {
    expect(isPageOfPortal(at("/portal"))).toBe(true);
    expect(isPageOfPortal(at("/portal/messages?x=1"))).toBe(true);
    expect(isPageOfPortal(at("/portals"))).toBe(false);
    expect(isPageOfPortal(at("/chart"))).toBe(false);
  });
});

describe("assetsOf", () => {
  it("finds the style sheets of a page, and no script or other page", () => {
    const html =
      '<link rel="stylesheet" href="/static/assets/a-1.css"><a href="/portal/open"></a>' +
      '<script src="/static/assets/b.js"></script><link href="https://x.example/c.css">';
    expect(assetsOf(html)).toEqual(["/static/assets/a-1.css"]);
  });
});

describe("readReminder", () => {
  const said = { body: "You have a new message.", tag: "message", url: "/portal/messages" };

  it("is what was sent", () => {
    expect(readReminder(JSON.stringify(said))).toEqual(said);
  });

  it("leads nowhere but into the portal", () => {
    for (const url of [
      "https://evil.example/portal",
      "/chart",
      "//evil.example/portal",
      "/portals",
    ]) {
      expect(readReminder(JSON.stringify({ ...said, url })).url).toBe("/portal/open");
    }
  });

  it("says only that something waits where it can't be read", () => {
    for (const text of [
      "",
      "{",
      "null",
      "7",
      '"x"',
      "{}",
      '{"body":1,"tag":"x","url":"/portal"}',
    ]) {
      expect(readReminder(text)).toEqual({ body: "", tag: "reminder", url: "/portal/open" });
    }
  });
});
