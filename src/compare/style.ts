import { STYLE } from "../report/style.ts";
import { LOOKS } from "./series.ts";

/**
 * The colours of lines, on light paper and on dark: as far apart as six colours can be for people who see all of them and
 * for those who lack one kind of cone, and each at a contrast of 3 to its paper at least.
 */
export const SERIES_COLOURS = {
  light: ["#2e10ee", "#fb5b00", "#338fff", "#9e0f13", "#9f6794", "#621e7f"],
  dark: ["#5bf1ec", "#e6de18", "#65a5db", "#ab3c68", "#763fe8", "#ba9646"],
} as const;

const DASHES = ["none", "7 3", "2 3.5"];

/** The style sheet of the page: the report's, and a look for each series. */
export const COMPARE_STYLE = `${STYLE}
:root { ${variables(SERIES_COLOURS.light)} }
@media (prefers-color-scheme: dark) { :root { ${variables(SERIES_COLOURS.dark)} } }
@media print { :root { ${variables(SERIES_COLOURS.light)} } }
${looks()}
.series-key { list-style: none; margin: 0 0 1rem; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; }
.series-key .key { white-space: normal; }
.runs th:first-child { white-space: nowrap; }
`;

function variables(colours: readonly string[]): string {
  return colours.map((colour, i) => `--c${i + 1}: ${colour};`).join(" ");
}

function looks(): string {
  const colours = SERIES_COLOURS.light.length;
  const rules = Array.from({ length: LOOKS }, (_, i) => {
    const name = `series-${i + 1}`;
    const colour = `var(--c${(i % colours) + 1})`;
    const dash = DASHES[Math.floor(i / colours) % DASHES.length];
    const line = `.${name} .line, .key.${name} path { stroke: ${colour}; stroke-dasharray: ${dash}; }`;
    return `${line} .${name} circle { fill: ${colour}; }`;
  });
  return rules.join("\n");
}
