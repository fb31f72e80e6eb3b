import { describe, expect, it } from "vitest";
import { submitOnce } from "../src/form_once";
import { tooLarge } from "../src/upload";

describe("tooLarge", () => {
  it("lets a file of exactly the limit pass", () => {
    expect(tooLarge(1_048_576, 1_048_576)).toBeNull();
  });

  it("names both sizes of a larger one", () => {
    document.body.innerHTML = `<script type="application/json" data-words>
      {"upload.too_large": "%(size)s MB, at most %(most)s MB"}</script>`;
    expect(tooLarge(2 * 1_048_576, 1_048_576)).toBe("2 MB, at most 1 MB");
  });
});

describe("submitOnce", () => {
  it("stops the second submit of a double click", () => {
    document.body.innerHTML = "<form><button data-once>Sign</button></form>";
    submitOnce();
    const form = document.querySelector("form") as HTMLFormElement;
    const submit = () => form.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(submit()).toBe(true);
    expect(submit()).toBe(false);
  });
});
