// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { filterLibrary, numberLines, startBuilder } from "../src/builder";

const OFFERS = `
  <input data-filter="name"><select data-filter="region"><option value=""></option><option>knee</option></select>
  <p data-found></p>
  <ul>
    <li data-offer data-name="squat" data-region="knee|hip"></li>
    <li data-offer data-name="arm raise" data-region="shoulder"></li>
  </ul>`;

function visible(): string[] {
  return [...document.querySelectorAll<HTMLElement>("[data-offer]")]
    .filter((offer) => !offer.hidden)
    .map((offer) => offer.dataset.name ?? "");
}

function set(filter: string, value: string): void {
  const field = document.querySelector<HTMLInputElement>(`[data-filter="${filter}"]`);
  if (field) field.value = value;
}

describe("the list of exercises", () => {
  beforeEach(() => {
    document.body.innerHTML = OFFERS;
  });

  it("shows all without a filter, and how many", () => {
    filterLibrary(document);
    expect(visible()).toEqual(["squat", "arm raise"]);
    expect(document.querySelector("[data-found]")?.textContent).toBe("2 exercises");
  });

  it("shows what fits every filter", () => {
    set("region", "knee");
    filterLibrary(document);
    expect(visible()).toEqual(["squat"]);
    set("name", " Arm");
    filterLibrary(document);
    expect(visible()).toEqual([]);
    set("region", "");
    filterLibrary(document);
    expect(visible()).toEqual(["arm raise"]);
  });
});

describe("lines", () => {
  it("are numbered as they stand", () => {
    document.body.innerHTML =
      '<div id="l"><p><input name="lines-1-sets"></p><p><input name="lines-0-sets"></p></div>';
    numberLines(document.querySelector("#l") as Element);
    const names = [...document.querySelectorAll("input")].map((field) => field.name);
    expect(names).toEqual(["lines-0-sets", "lines-1-sets"]);
  });
});

describe("a step", () => {
  const page = (inner: string) => `<form data-builder action="/build">${inner}</form>`;

  beforeEach(() => {
    document.body.innerHTML = page(
      '<p data-builder-message></p><input name="a" value="1"><button name="do" value="up-1">Up</button><button name="do" value="sign">Sign</button>',
    );
    startBuilder(document.querySelector("form") as HTMLFormElement);
  });

  function press(value: string): Event {
    const event = new SubmitEvent("submit", {
      cancelable: true,
      submitter: document.querySelector<HTMLButtonElement>(`[value="${value}"]`),
    });
    document.querySelector("form")?.dispatchEvent(event);
    return event;
  }

  it("puts the server's form in the place of this one", async () => {
    const answer = vi.fn(async (_url: string, _options: RequestInit) => ({
      text: async () => page('<input name="a" value="2">'),
    }));
    vi.stubGlobal("fetch", answer);
    expect(press("up-1").defaultPrevented).toBe(true);
    await vi.waitFor(() => expect(document.querySelector("input")?.value).toBe("2"));
    const sent = answer.mock.calls[0]?.[1].body as FormData;
    expect([sent.get("do"), sent.get("a")]).toEqual(["up-1", "1"]);
  });

  it("keeps what was typed when there is no connection, and says so", async () => {
    vi.stubGlobal("fetch", async () => Promise.reject(new Error("offline")));
    press("up-1");
    await vi.waitFor(() =>
      expect(document.querySelector("[data-builder-message]")?.textContent).toContain(
        "No connection",
      ),
    );
    expect(document.querySelector("input")?.value).toBe("1");
  });

  it("leaves signing to the browser", () => {
    expect(press("sign").defaultPrevented).toBe(false);
  });
});
