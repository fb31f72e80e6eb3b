/** What the person answered on a session's page, beside pain. */

/** Null where it was skipped. */
export interface Feedback {
  effort: number | null;
  difficulty: string | null;
  note: string | null;
  stopped_reason: string | null;
}

export function readFeedback(root: ParentNode): Feedback {
  const effort = chosen(root, "effort");
  const note = root.querySelector<HTMLTextAreaElement>('textarea[name="note"]')?.value.trim();
  return {
    effort: effort === null ? null : Number(effort),
    difficulty: chosen(root, "difficulty"),
    note: note || null,
    stopped_reason: chosen(root, "stopped_reason"),
  };
}

/** Asks why it was stopped, and says at once what an answer means. */
export function askWhyStopped(root: ParentNode): void {
  const why = root.querySelector<HTMLElement>("[data-why]");
  if (!why) throw new Error("the page can't ask why it was stopped");
  why.hidden = false;
  why.addEventListener("change", () => {
    const reason = why.querySelector<HTMLInputElement>('input[name="stopped_reason"]:checked');
    for (const notice of why.querySelectorAll<HTMLElement>("[data-when]")) {
      notice.hidden = notice.dataset.when !== reason?.dataset.outcome;
    }
  });
}

/** The value of a group of choices; null where none is chosen. */
export function chosen(root: ParentNode, name: string): string | null {
  return root.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value ?? null;
}
