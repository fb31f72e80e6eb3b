import { beforeEach, describe, expect, it, vi } from "vitest";
import { offerStorageAccess } from "../src/way_out";

function page(): [HTMLButtonElement, HTMLElement] {
  document.body.innerHTML =
    '<button data-storage-access="/launch?iss=x" data-denied="Open in a new window." hidden>Allow</button><p role="status"></p>';
  return [
    document.querySelector("button") as HTMLButtonElement,
    document.querySelector("p") as HTMLElement,
  ];
}

describe("offerStorageAccess", () => {
  beforeEach(() => Reflect.deleteProperty(document, "requestStorageAccess"));

  it("stays hidden where the browser can't be asked", () => {
    const [button, message] = page();
    offerStorageAccess(button, message);
    expect(button.hidden).toBe(true);
  });

  it("opens the launch here once the browser allows the cookie", async () => {
    document.requestStorageAccess = vi.fn().mockResolvedValue(undefined);
    const [button, message] = page();
    const open = vi.fn();
    offerStorageAccess(button, message, open);
    expect(button.hidden).toBe(false);
    button.click();
    await vi.waitFor(() => expect(open).toHaveBeenCalledWith("/launch?iss=x"));
  });

  it("says what to do when the browser does not allow it", async () => {
    document.requestStorageAccess = vi.fn().mockRejectedValue(new Error("denied"));
    const [button, message] = page();
    const open = vi.fn();
    offerStorageAccess(button, message, open);
    button.click();
    await vi.waitFor(() => expect(message.textContent).toContain("new window"));
    expect(open).not.toHaveBeenCalled();
  });
});
