// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";
import { isAnswered, showOneAtATime } from "../src/cards";

const PAGE = `
<form data-cards DATA data-position="Question {n} of {all}">
  <p data-card-position></p>
  <fieldset data-card><input type="radio" name="a" value="1" /></fieldset>
  <fieldset data-card><input type="radio" name="b" value="1" /></fieldset>
  <div data-card><textarea name="note"></textarea></div>
  <p data-card-missing hidden></p>
  <div data-card-ways hidden><button type="button" data-card-back></button><button type="button" data-card-next></button></div>
  <button data-card-last></button>
</form>`;

function open(data = ""): {
  root: HTMLElement;
  shown: () => number;
  press: (what: string) => void;
} {
  document.body.innerHTML = PAGE.replace("DATA", data);
  const root = document.querySelector<HTMLElement>("[data-cards]");
  if (!root) throw new Error("no cards");
  showOneAtATime(root);
  const cards = [...root.querySelectorAll<HTMLElement>("[data-card]")];
  return {
    root,
    shown: () => {
      const visible = cards.filter((card) => !card.hidden);
      expect(visible).toHaveLength(1);
      return cards.indexOf(visible[0] as HTMLElement);
    },
    press: (what) => root.querySelector<HTMLElement>(`[data-card-${what}]`)?.click(),
  };
}

describe("questions one at a time", () => {
  beforeEach(() => {
    document.body.innerHTML = "";
  });

  it("may be skipped, and gone back to", () => {
    const { root, shown, press } = open();
    expect(shown()).toBe(0);
    expect(root.textContent).toContain("Question 1 of 3");
    press("next");
    press("next");
    expect(shown()).toBe(2);
    expect(root.querySelector<HTMLElement>("[data-card-next]")?.hidden).toBe(true);
    press("back");
    expect(shown()).toBe(1);
    expect(document.activeElement?.getAttribute("name")).toBe("b");
  });

  it("let nobody past without an answer where one is required", () => {
    const { root, shown, press } = open("data-required");
    const last = root.querySelector<HTMLElement>("[data-card-last]");
    press("next");
    expect(shown()).toBe(0);
    expect(root.querySelector<HTMLElement>("[data-card-missing]")?.hidden).toBe(false);
    root.querySelector<HTMLInputElement>('[name="a"]')?.click();
    press("next");
    expect(shown()).toBe(1);
    expect(root.querySelector<HTMLElement>("[data-card-missing]")?.hidden).toBe(true);
    expect(last?.hidden).toBe(true);
    root.querySelector<HTMLInputElement>('[name="b"]')?.click();
    press("next");
    expect(last?.hidden).toBe(false);
  });

  it("count a note as an answer only when it says something", () => {
    document.body.innerHTML = "<div><textarea> </textarea></div>";
    const card = document.querySelector<HTMLElement>("div");
    if (!card) throw new Error("no card");
    expect(isAnswered(card)).toBe(false);
    const note = card.querySelector("textarea");
    if (note) note.value = "It hurts.";
    expect(isAnswered(card)).toBe(true);
  });
});
