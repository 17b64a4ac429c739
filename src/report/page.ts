import { createHash } from "node:crypto";
import { Html, html } from "./html.ts";
import type { ReportContent } from "./report-content.ts";
import { configurationSection } from "./sections/configuration.ts";
import { curvesSection } from "./sections/curves.ts";
import { faultsSection } from "./sections/faults.ts";
import { recognitionSection } from "./sections/recognition.ts";
import { timeSection } from "./sections/time.ts";
import { verdictSection } from "./sections/verdict.ts";
import { STYLE } from "./style.ts";

/** As one piece: the policy names the hash of what stands between the tags, to the last space. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** The whole report: a page of its own, that needs no script, loads nothing and may not do so. */
export function reportPage(content: ReportContent): string {
  const styleHash = createHash("sha256").update(STYLE).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${content.run.name}: lockstep training report</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        ${verdictSection(content)}
        <main>
          ${curvesSection(content)}${recognitionSection(content)}${timeSection(content)}${faultsSection(content)}${configurationSection(content)}
        </main>
      </body>
    </html> `;
  return page.toString();
}
