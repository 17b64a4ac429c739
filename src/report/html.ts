/** HTML out of templates in which all that is put in is escaped, unless it was made by such a template itself. */

export type Content = Html | string | number | null | undefined | readonly Content[];

/** Markup that is as it should be. To be had from `html` alone. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** Attributes that are filled in must stand in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.reduce((before, part, index) => before + textOf(values[index - 1]) + part));
}

/** Text as it stands in an element or in an attribute's quotes. */
export function escapeText(text: string): string {
  // Control characters but for tab and line feed are errors in HTML.
  // oxlint-disable-next-line no-control-regex
  const printable = text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\u{fffd}");
  return printable.replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function textOf(value: Content): string {
  if (value === undefined || value === null) return "";
  if (value instanceof Html) return value.toString();
  if (typeof value === "string" || typeof value === "number") return escapeText(String(value));
  return value.map((each) => textOf(each)).join("");
}
