/**
 * The texts that scripts say, in the language of the page. The server translates them
 * (`app/patient/words.py`) and writes them into the page as JSON.
 */

type Values = Record<string, string | number>;

/** A text, or its forms by the plural categories of `Intl.PluralRules`. */
type Entry = string | Record<string, string>;

function entry(key: string): Entry {
  const source = document.querySelector("script[data-words]")?.textContent;
  if (!source) throw new Error("the page has no words");
  const found = (JSON.parse(source) as Record<string, Entry>)[key];
  if (found === undefined) throw new Error(`the page has no words for ${key}`);
  return found;
}

function filled(text: string, values: Values): string {
  return text.replace(/%\((\w+)\)s/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${name} in "${text}"`);
    return String(value);
  });
}

/** The text `key`, with `values` for its placeholders. */
export function words(key: string, values: Values = {}): string {
  const found = entry(key);
  if (typeof found !== "string") throw new Error(`${key} needs a number`);
  return filled(found, values);
}

/** The text `key` for `count`, which also fills the placeholder `num`. */
export function plural(key: string, count: number, values: Values = {}): string {
  const forms = entry(key);
  if (typeof forms === "string") throw new Error(`${key} has no plural`);
  const category = new Intl.PluralRules(document.documentElement.lang).select(count);
  return filled(forms[category] ?? forms.other ?? "", { num: count, ...values });
}

/** A share of 1 as the language writes it: 45%. */
export function share(value: number): string {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(value);
}
