/** The report's style sheet. Its colours keep their meaning for people who cannot tell red from green. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1b2430; --muted: #5c6878; --rule: #dde2e9;
  --first: #1f5fbf; --second: #b45309; --third: #0d7a5f; --faint: #7d8da3; --alarm: #b42318;
  --hit: 31, 95, 191; --mistake: 217, 119, 6; --invert: 1;
  --s1: #1f5fbf; --s2: #0e9384; --s3: #d97706; --s4: #8b5cf6; --s5: #db5a8b; --s6: #a3adba;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --panel: #1a2029; --ink: #e4e9f0; --muted: #98a5b5; --rule: #2d3642;
    --first: #6ea8fe; --second: #f0a44b; --third: #5fd0ab; --faint: #8493a8; --alarm: #ff8a7a;
    --hit: 80, 140, 235; --mistake: 240, 150, 50; --invert: 0;
    --s1: #5b96ee; --s2: #2bb3a3; --s3: #e39a3c; --s4: #a487f5; --s5: #e57ba3; --s6: #6f7b8a;
  }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --panel: #ffffff; --ink: #000000; --muted: #444444; --rule: #cccccc;
    --first: #1f5fbf; --second: #b45309; --third: #0d7a5f; --faint: #7d8da3; --alarm: #b42318;
    --hit: 31, 95, 191; --mistake: 217, 119, 6; --invert: 1;
    --s1: #1f5fbf; --s2: #0e9384; --s3: #d97706; --s4: #8b5cf6; --s5: #db5a8b; --s6: #a3adba;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem;
  background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
h1 { font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--rule); }
section { margin-top: 2rem; }
p { margin: 0 0 .75rem; max-width: 48rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: .75rem 1rem; white-space: pre-wrap; margin: 0 0 1rem; }
small { color: var(--muted); font-size: .8rem; }
.brand { color: var(--muted); font-size: .875rem; margin: 0 0 .25rem; }
.verdict { font-size: 1.15rem; }
.muted { color: var(--muted); font-size: .9rem; }
.alarm { color: var(--alarm); font-weight: 600; }
.hash { color: var(--muted); font-size: .875rem; max-width: none; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.75rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.figures div { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: .6rem .8rem; }
.figures dt { color: var(--muted); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem 2rem; }
.chart { margin: 0; min-width: 0; }
.chart figcaption { font-weight: 600; display: flex; flex-wrap: wrap; gap: .1rem 1rem; align-items: baseline; }
.chart > svg { display: block; width: 100%; height: auto; overflow: visible; }
.legend { font-weight: 400; font-size: .85rem; color: var(--muted); }
.key { margin-right: .75rem; white-space: nowrap; }
.key svg { width: 18px; height: 8px; margin-right: .3rem; }
.axes path { stroke: var(--rule); stroke-width: 1; fill: none; }
.axes .frame { stroke: var(--muted); }
.axes text { fill: var(--muted); font-size: 12px; font-variant-numeric: tabular-nums; }
.line, .key path { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.first .line, .key.first path { stroke: var(--first); }
.second .line, .key.second path { stroke: var(--second); }
.second .line, .key.second path { stroke-dasharray: 5 3.5; }
.third .line, .key.third path { stroke: var(--third); stroke-dasharray: 1.5 4; }
.faint .line, .key.faint path { stroke: var(--faint); stroke-width: 1; }
.faint .band { fill: var(--faint); opacity: .25; }
.first .band, .second .band, .third .band { display: none; }
.first circle { fill: var(--first); }
.second circle { fill: var(--second); }
.third circle { fill: var(--third); }
.faint circle { fill: var(--faint); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; }
.pair > * { min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; color: var(--muted); font-size: .85rem; padding-bottom: .5rem; }
th, td { padding: .25rem .6rem; text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
.numbers, .phases, .log { width: 100%; }
.numbers tr + tr > *, .phases tr + tr > *, .log tr + tr > *, .facts tr + tr > *, tbody tr:first-child > * { border-top: 1px solid var(--rule); }
.numbers th, .numbers td { text-align: right; }
.numbers th:first-child, .numbers td:first-child, .named td:last-child, .named th:last-child { text-align: left; }
.phases td:nth-child(even), .phases th:nth-child(even) { text-align: right; padding-right: 2rem; }
.numbers .best > * { background: var(--panel); font-weight: 600; color: var(--ink); }
.best small { font-weight: 600; color: var(--third); }
.facts { width: 100%; }
.facts th { font-weight: 400; color: var(--muted); width: 11rem; padding-left: 0; }
.facts td { overflow-wrap: anywhere; }
#faults .facts { width: auto; }
#faults .facts th { width: 18rem; }
.log td:nth-child(-n+3) { white-space: nowrap; }
.confusion { width: 100%; table-layout: fixed; border-spacing: 2px; border-collapse: separate; }
.confusion th, .confusion td { text-align: center; padding: .35rem .1rem; width: 2.5rem; }
.confusion th { color: var(--muted); font-weight: 600; overflow-wrap: anywhere; font-size: .85rem; }
.confusion tbody tr:first-child > * { border-top: 0; }
.confusion td { border-radius: 4px; white-space: nowrap; }
.numbers td { white-space: nowrap; }
.confusion .none { color: var(--muted); opacity: .45; }
.h1 { background: rgba(var(--hit), .06); } .h2 { background: rgba(var(--hit), .12); } .h3 { background: rgba(var(--hit), .2); }
.h4 { background: rgba(var(--hit), .28); } .h5 { background: rgba(var(--hit), .36); }
.m1 { background: rgba(var(--mistake), .16); } .m2 { background: rgba(var(--mistake), .26); } .m3 { background: rgba(var(--mistake), .36); }
.m4 { background: rgba(var(--mistake), .46); } .m5 { background: rgba(var(--mistake), .55); } .m6 { background: rgba(var(--mistake), .7); } .m7 { background: rgba(var(--mistake), .85); }
.hit, .mistake { font-weight: 600; }
.mistakes { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 1rem .75rem; }
.mistakes li { display: flex; flex-direction: column; gap: .15rem; line-height: 1.35; }
.mistakes img { image-rendering: pixelated; filter: invert(var(--invert)); border: 1px solid #9aa5b3; border-radius: 4px; }
.taken { color: var(--second); font-weight: 600; }
.shares { display: block; width: 100%; height: 1.6rem; border-radius: 4px; }
.share { stroke: none; }
.s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); } .s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); }
.shares-key { list-style: none; margin: .6rem 0 1.5rem; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; font-size: .9rem; }
.shares-key svg { width: .7rem; height: .7rem; margin-right: .4rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--first); }
details[open] summary { margin-bottom: .5rem; }
:focus-visible { outline: 2px solid var(--first); outline-offset: 2px; }
@media (max-width: 32rem) {
  th, td { padding: .25rem .3rem; }
  table { font-size: .8rem; }
  .confusion { border-spacing: 1px; font-size: .72rem; }
  .confusion th, .confusion td { width: auto; padding: .35rem 0; font-size: .72rem; }
  .facts th, #faults .facts th { width: 9rem; }
}
@media print {
  @page { margin: 14mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .hit, .mistake, .share, .figures div { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .chart, .mistakes li, .figures, tr, pre { break-inside: avoid; }
  h2, summary, caption { break-after: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; }
}
`;
