import { beforeEach, describe, expect, it } from "vitest";
import { plural, share, words } from "../src/words";

function page(lang: string, entries: Record<string, unknown>): void {
  document.documentElement.lang = lang;
  const json = JSON.stringify(entries).replaceAll("<", "\\u003c");
  document.body.innerHTML = `<script type="application/json" data-words>${json}</script>`;
}

describe("words", () => {
  beforeEach(() => {
    page("es", {
      done: "Listo.",
      set: "Serie %(set)s de %(sets)s",
      rest: { one: "%(num)s segundo, serie %(set)s", other: "%(num)s segundos, serie %(set)s" },
    });
  });

  it("says a text of the page", () => {
    expect(words("done")).toBe("Listo.");
  });

  it("fills placeholders by name", () => {
    expect(words("set", { sets: 3, set: 1 })).toBe("Serie 1 de 3");
  });

  it("takes the form that the count asks for", () => {
    expect(plural("rest", 1, { set: 2 })).toBe("1 segundo, serie 2");
    expect(plural("rest", 12, { set: 2 })).toBe("12 segundos, serie 2");
    expect(plural("rest", 1_000_000, { set: 2 })).toBe("1000000 segundos, serie 2");
  });

  it("puts in values as they are", () => {
    expect(words("set", { set: "$&", sets: "%(set)s" })).toBe("Serie $& de %(set)s");
  });

  it("refuses a key or a value that is missing", () => {
    expect(() => words("nothing")).toThrow("no words for nothing");
    expect(() => words("set", { set: 1 })).toThrow("no value for sets");
    expect(() => words("rest")).toThrow("needs a number");
    expect(() => plural("done", 2)).toThrow("has no plural");
  });

  it("refuses a page without words", () => {
    document.body.innerHTML = "";
    expect(() => words("done")).toThrow("the page has no words");
  });
});

describe("share", () => {
  it("is written as the language does", () => {
    page("en", {});
    expect(share(0.456)).toBe("46%");
    page("es", {});
    expect(share(0.456).replace(/\s/, " ")).toBe("46 %");
  });
});
