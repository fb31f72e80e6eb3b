/** The program builder's comforts. Without this script each button still does its work, by a page
 * load; with it a step changes the page in place. */

// These two leave the page, or tell something above the form.
const STEP = 'button[name="do"]:not([value="sign"], [value="save"])';

export function startBuilder(form: HTMLFormElement): void {
  form.addEventListener("submit", (event) => {
    const pressed = event.submitter;
    if (!(pressed instanceof HTMLButtonElement) || !pressed.matches(STEP)) return;
    event.preventDefault();
    void step(form, pressed.value);
  });
  form.addEventListener("change", (event) => {
    const field = event.target as HTMLElement;
    if (!field.closest("[data-library]")) void look(form);
  });
  form.addEventListener("input", (event) => {
    if ((event.target as HTMLElement).matches("[data-filter]")) filterLibrary(form);
  });
  prepare(form);
}

/** One step of the server's, in place of a page load: its answer's form takes this one's place. */
async function step(form: HTMLFormElement, what: string): Promise<void> {
  const answer = await answered(form, what);
  const told = form.querySelector("[data-builder-message]");
  if (told) told.textContent = answer ? "" : "No connection. Nothing is lost; please try again.";
  if (!answer) return;
  const filters = chosenFilters(form);
  form.replaceChildren(...answer.childNodes);
  prepare(form, filters);
  form.querySelector<HTMLElement>("[autofocus]:not([disabled])")?.focus();
}

/** What the patient sees, by the form as it is now. */
async function look(form: HTMLFormElement): Promise<void> {
  const preview = (await answered(form, "look"))?.querySelector("[data-preview]");
  if (preview) form.querySelector("[data-preview]")?.replaceWith(preview);
}

async function answered(form: HTMLFormElement, what: string): Promise<Element | null> {
  const fields = new FormData(form);
  fields.set("do", what);
  const response = await fetch(form.action, { method: "POST", body: fields }).catch(() => null);
  if (!response) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.querySelector("form[data-builder]");
}

function prepare(form: HTMLFormElement, filters: Map<string, string> = new Map()): void {
  const shelf = form.querySelector<HTMLElement>("[data-filters]");
  if (shelf) shelf.hidden = false;
  for (const [name, value] of filters) {
    const field = form.querySelector<HTMLInputElement>(`[data-filter="${name}"]`);
    if (field) field.value = value;
  }
  filterLibrary(form);
  letLinesBeDragged(form);
}

/** Which exercises of the list fit every filter. */
export function filterLibrary(form: ParentNode): void {
  const filters = chosenFilters(form);
  let found = 0;
  for (const offer of form.querySelectorAll<HTMLElement>("[data-offer]")) {
    offer.hidden = ![...filters].every(([name, wanted]) => fits(offer, name, wanted));
    if (!offer.hidden) found += 1;
  }
  const told = form.querySelector("[data-found]");
  if (told) told.textContent = found === 1 ? "1 exercise" : `${found} exercises`;
}

function fits(offer: HTMLElement, name: string, wanted: string): boolean {
  if (!wanted) return true;
  const own = offer.dataset[name] ?? "";
  if (name === "name") return own.includes(wanted.toLowerCase().trim());
  return own.split("|").includes(wanted);
}

function chosenFilters(form: ParentNode): Map<string, string> {
  const fields = form.querySelectorAll<HTMLInputElement>("[data-filter]");
  return new Map([...fields].map((field) => [field.dataset.filter ?? "", field.value]));
}

// Dragging ---------------------------------------------------------------------------------------

function letLinesBeDragged(form: HTMLFormElement): void {
  const lines = form.querySelector<HTMLElement>("[data-lines]");
  if (!lines) return;
  let dragged: HTMLElement | null = null;
  lines.addEventListener("dragstart", (event) => {
    dragged = (event.target as HTMLElement).closest?.("[data-line]") ?? null;
  });
  lines.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    mark(lines, lineAt(event));
  });
  lines.addEventListener("dragend", () => mark(lines, null));
  lines.addEventListener("drop", (event) => {
    const over = lineAt(event);
    if (!dragged || !over) return;
    event.preventDefault();
    const all = [...lines.children];
    const below = all.indexOf(over) > all.indexOf(dragged);
    over.insertAdjacentElement(below ? "afterend" : "beforebegin", dragged);
    dragged = null;
    numberLines(lines);
    void step(form, "look");
  });
}

function lineAt(event: DragEvent): HTMLElement | null {
  return (event.target as HTMLElement).closest<HTMLElement>("[data-line]");
}

function mark(lines: Element, over: HTMLElement | null): void {
  for (const line of lines.children) line.classList.toggle("drop-here", line === over);
}

/** The fields of each line carry its place among the lines. */
export function numberLines(lines: Element): void {
  for (const [place, line] of [...lines.children].entries()) {
    for (const field of line.querySelectorAll<HTMLInputElement>("[name^='lines-']")) {
      field.name = field.name.replace(/^lines-\d+/, `lines-${place}`);
    }
  }
}
