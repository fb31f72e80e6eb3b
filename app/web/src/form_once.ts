/** A form is sent once: a second click does nothing. The server holds to it as well. */
export function submitOnce(root: ParentNode = document): void {
  const buttons = root.querySelectorAll<HTMLButtonElement>("button[data-once]");
  for (const button of buttons) {
    button.form?.addEventListener("submit", (event) => {
      // A form may have other buttons, which do something else.
      if (event.submitter && event.submitter !== button) return;
      if (button.dataset.sent) event.preventDefault();
      button.dataset.sent = "1";
      button.setAttribute("aria-disabled", "true");
    });
  }
  // The browser's way back shows the page as it was left, and it may be sent anew.
  addEventListener("pageshow", () => {
    for (const button of buttons) {
      delete button.dataset.sent;
      button.removeAttribute("aria-disabled");
    }
  });
}
