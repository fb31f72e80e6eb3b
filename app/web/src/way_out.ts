/**
 * The button of the page that says that the frame keeps no cookie: it asks the browser for the
 * cookie and then opens `url` in the frame. Where the browser can't be asked, it stays hidden.
 */
export function offerStorageAccess(
  button: HTMLButtonElement,
  message: HTMLElement | null,
  open: (url: string) => void = (url) => location.assign(url),
): void {
  if (typeof document.requestStorageAccess !== "function") return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await document.requestStorageAccess();
    } catch {
      if (message) message.textContent = button.dataset.denied ?? "";
      return;
    }
    open(button.dataset.storageAccess ?? "");
  });
}
