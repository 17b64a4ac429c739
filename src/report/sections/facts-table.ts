import { type Content, type Html, html } from "../html.ts";

/** Names and what there is to say about each. */
export function factsTable(rows: readonly (readonly [name: string, value: Content])[], caption?: string): Html {
  return html`<table class="facts">
    ${
      caption === undefined
        ? undefined
        : html`<caption>
            ${caption}
          </caption>`
    }
    <tbody>
      ${rows.map(
        ([name, value]) =>
          html`<tr>
            <th scope="row">${name}</th>
            <td>${value}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
