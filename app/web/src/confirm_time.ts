/** The form that signs chart time: how much is signed, and a reason for what is not. */

interface Stretch {
  seconds: number;
  leaveOut: HTMLInputElement;
  shortenTo: HTMLInputElement;
  reason: HTMLInputElement;
}

export function watchConfirmForm(form: HTMLFormElement): void {
  const stretches = [...form.querySelectorAll<HTMLElement>("[data-stretch]")].map(read);
  const total = form.querySelector<HTMLElement>("[data-confirm-total]");
  const problem = form.querySelector<HTMLElement>("[data-confirm-problem]");
  form.addEventListener("input", () => {
    for (const stretch of stretches) stretch.shortenTo.disabled = stretch.leaveOut.checked;
    if (total) total.textContent = minutes(stretches.reduce((sum, s) => sum + kept(s), 0));
  });
  // Before the button is marked as sent, so that it may be pressed again.
  form.addEventListener(
    "submit",
    (event) => {
      const unexplained = stretches.find((s) => kept(s) < s.seconds && !s.reason.value.trim());
      if (problem) problem.hidden = !unexplained;
      if (!unexplained) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (problem) problem.textContent = "Say why a stretch is left out or shortened.";
      unexplained.reason.closest("details")?.setAttribute("open", "");
      unexplained.reason.setAttribute("aria-invalid", "true");
      unexplained.reason.focus();
    },
    { capture: true },
  );
}

/** The seconds of a stretch that would be signed. */
function kept(stretch: Stretch): number {
  if (stretch.leaveOut.checked) return 0;
  const shorter = Number(stretch.shortenTo.value) * 60;
  return shorter > 0 ? Math.min(shorter, stretch.seconds) : stretch.seconds;
}

function read(element: HTMLElement): Stretch {
  const field = (name: string): HTMLInputElement => {
    const found = element.querySelector<HTMLInputElement>(`[data-${name}]`);
    if (!found) throw new Error(`a stretch has no data-${name}`);
    return found;
  };
  return {
    seconds: Number(element.dataset.seconds),
    leaveOut: field("leave-out"),
    shortenTo: field("shorten-to"),
    reason: field("reason"),
  };
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
