/** The element of page.html with this id. Throws when there is none of this class. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`page.html has no ${type.name} with the id ${id}`);
  return element;
}

/** Sets an element's text, if it is another: text never becomes markup, whatever is in it. */
export function setText(id: string, text: string): void {
  const element = byId(id, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

export interface ElementOptions {
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A new element with text and children. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { text, attributes = {} }: ElementOptions = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
