/** Questions one at a time. Without script they stand below one another. */

/** `data-required` cards let nobody past without an answer; the form's own button comes with the
 * last of them, or with an answer that ends them (`data-ends`). */
export function showOneAtATime(root: HTMLElement): void {
  const cards = [...root.querySelectorAll<HTMLElement>("[data-card]")];
  const ways = find(root, "[data-card-ways]");
  const back = find(root, "[data-card-back]");
  const next = find(root, "[data-card-next]");
  const position = find(root, "[data-card-position]");
  const missing = root.querySelector<HTMLElement>("[data-card-missing]");
  const last = root.querySelector<HTMLElement>("[data-card-last]");
  const required = root.hasAttribute("data-required");
  let at = 0;

  const showLast = (): void => {
    const ended = root.querySelector("[data-ends]:checked") !== null;
    if (last) last.hidden = at < cards.length - 1 && !ended;
  };
  const show = (which: number, focus: boolean): void => {
    at = which;
    for (const [n, card] of cards.entries()) card.hidden = n !== at;
    const words = root.dataset.position ?? "";
    position.textContent = words.replace("{n}", `${at + 1}`).replace("{all}", `${cards.length}`);
    back.hidden = at === 0;
    next.hidden = at === cards.length - 1;
    showLast();
    if (missing) missing.hidden = true;
    if (focus) cards[at]?.querySelector<HTMLElement>("input, textarea")?.focus();
  };
  next.addEventListener("click", () => {
    const card = cards[at];
    if (required && missing && card && !isAnswered(card)) missing.hidden = false;
    else show(at + 1, true);
  });
  root.addEventListener("change", () => {
    if (missing) missing.hidden = true;
    showLast();
  });
  back.addEventListener("click", () => show(at - 1, true));
  ways.hidden = false;
  show(0, false);
}

export function isAnswered(card: HTMLElement): boolean {
  const answers = card.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("input, textarea");
  return [...answers].some((one) =>
    one instanceof HTMLInputElement ? one.checked : one.value.trim() !== "",
  );
}

function find(root: HTMLElement, selector: string): HTMLElement {
  const element = root.querySelector<HTMLElement>(selector);
  if (!element) throw new Error(`the questions have no ${selector}`);
  return element;
}
