import { expect, test } from "vitest";
import { escapeText, Html, html } from "../../src/report/html.ts";

const HOSTILE = `</td><script>alert("1")</script>' onload='x' & \`\u0000\u001b[31m\u0085`;

test("escapes what is put into elements and attributes", () => {
  const page = html`<td title="${HOSTILE}">${HOSTILE}</td>`.toString();
  const [, title, text] = /^<td title="([^"]*)">([^<]*)<\/td>$/.exec(page) ?? [];
  expect(title).toBe(text);
  // What a browser makes of it is what was put in, but for what HTML does not allow.
  const shown = title?.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
  expect(shown).toBe(["\u0000", "\u001b", "\u0085"].reduce((text, bad) => text.replace(bad, "\u{fffd}"), HOSTILE));
});

test("takes markup of its own as it is, lists one after another, and nothing for nothing", () => {
  const items = ["a", "<b>"].map((name) => html`<b>${name}</b>`);
  expect(html`<i>${items}${undefined}${null}${[]}</i>${0}`.toString()).toBe("<i><b>a</b><b>&#60;b&#62;</b></i>0");
  expect(html`${new Html("<br>")}`.toString()).toBe("<br>");
});

test("keeps tabs, line feeds and letters of all languages", () => {
  expect(escapeText("Größe\t数\n😀")).toBe("Größe\t数\n😀");
});
