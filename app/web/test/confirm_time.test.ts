// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";
import { watchConfirmForm } from "../src/confirm_time";

const STRETCH = (seconds: number) => `
  <fieldset data-stretch data-seconds="${seconds}">
    <details><summary>Leave out or shorten</summary>
      <input type="checkbox" data-leave-out><input data-shorten-to><input data-reason>
    </details>
  </fieldset>`;

let form: HTMLFormElement;
const inputs = (name: string) => [...form.querySelectorAll<HTMLInputElement>(`[data-${name}]`)];
const at = (name: string, n: number): HTMLInputElement => {
  const found = inputs(name)[n];
  if (!found) throw new Error(`${name} ${n}`);
  return found;
};
const total = () => form.querySelector("[data-confirm-total]")?.textContent;
const change = () => form.dispatchEvent(new Event("input", { bubbles: true }));
const submit = () => form.dispatchEvent(new Event("submit", { cancelable: true }));

beforeEach(() => {
  document.body.innerHTML = `<form>${STRETCH(723)}${STRETCH(60)}
    <strong data-confirm-total>13:03</strong><p data-confirm-problem hidden></p></form>`;
  form = document.querySelector("form") as HTMLFormElement;
  watchConfirmForm(form);
});

describe("the form that confirms time", () => {
  it("says how much would be signed", () => {
    at("leave-out", 1).checked = true;
    change();
    expect(total()).toBe("12:03");
    at("shorten-to", 0).value = "8";
    change();
    expect(total()).toBe("8:00");
    expect(inputs("shorten-to").map((field) => field.disabled)).toEqual([false, true]);
  });

  it("counts no more than was recorded", () => {
    at("shorten-to", 1).value = "30";
    change();
    expect(total()).toBe("13:03");
  });

  it("goes out as it is, without a reason", () => {
    expect(submit()).toBe(true);
  });

  it("asks for the reason of a stretch that is left out, and opens the place for it", () => {
    at("leave-out", 1).checked = true;
    expect(submit()).toBe(false);
    expect(form.querySelector<HTMLElement>("[data-confirm-problem]")?.hidden).toBe(false);
    expect(document.activeElement).toBe(at("reason", 1));
    expect(form.querySelectorAll("details[open]")).toHaveLength(1);
    at("reason", 1).value = "The phone rang.";
    expect(submit()).toBe(true);
  });
});
