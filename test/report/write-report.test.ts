import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { writeReport } from "../../src/report/write-report.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import { DATA_FILES, loadDataset } from "../../src/shared/data/dataset.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { epoch, step } from "../coordinator/training-events.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import {
  errorsOf,
  places,
  report,
  useMadeUpRun,
  writeData,
  writeMetrics,
  writeResult,
  writeRun,
} from "./made-up-run.ts";

useMadeUpRun();

/** All that a report is made of. */
const TAGS: readonly string[] = [
  ...[
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "section",
    "h1",
    "h2",
    "p",
    "b",
    "br",
    "small",
  ],
  ...[
    "strong",
    "code",
    "pre",
    "dl",
    "div",
    "dt",
    "dd",
    "span",
    "figure",
    "figcaption",
    "details",
    "summary",
    "ul",
    "ol",
  ],
  ...[
    "li",
    "img",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "svg",
    "g",
    "path",
    "rect",
    "circle",
    "text",
  ],
];

const HOSTILE = `<img src=x onerror=alert(1)>"'`;

test("needs nothing but itself, and lets nothing of what it shows become markup", async () => {
  writeData(200);
  writeFileSync(join(places.data, "classes.txt"), Array.from({ length: 10 }, (_, i) => `${i}${HOSTILE}`).join("\n"));
  await writeRun();
  const joined = { worker: "w", engine: "wasm", host: "h", pid: 1, workers: 1 };
  writeResult({}, [
    { type: "worker-joined", device: HOSTILE, ...joined },
    { type: "rejected", reason: HOSTILE },
  ]);
  writeMetrics(step({ step: 5 }), epoch(), step({ step: 15 }), epoch({ epoch: 2 }));
  const logged = { time: HOSTILE, event: "warning", worker: HOSTILE, step: 3, msg: HOSTILE };
  writeFileSync(join(places.runDir, "log.ndjson"), `${JSON.stringify(logged)}\n`);
  await report();
  const page = readFileSync(join(places.runDir, "report.html"), "utf8");
  const tags = [...page.matchAll(/<([a-z][a-z0-9]*)\b([^>]*)/gi)].map(([, name, attributes]) => ({ name, attributes }));
  expect(tags.filter(({ name }) => !TAGS.includes(name ?? ""))).toEqual([]);
  const attributes = tags.flatMap((tag) => [...(tag.attributes ?? "").matchAll(/([\w:-]+)(?:="[^"]*")?/g)]);
  expect(attributes.map(([, name]) => name ?? "").filter((name) => /^(style|href|on.*)$/i.test(name))).toEqual([]);
  expect(page).toContain("a &#60;b&#62;run");
  expect(page).not.toMatch(/https?:/);
  expect(page.match(/<img/g)).toHaveLength(30);
  expect(page).not.toMatch(/undefined|NaN|\[object/);
  const [, style] = /<style>([^]*)<\/style>/.exec(page) ?? [];
  const hash = createHash("sha256").update(style!).digest("base64");
  expect(page).toContain(`default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;`);
  expect(page.length).toBeLessThan(500_000);
});

test("is the same for the same files", async () => {
  writeData(200);
  await writeRun();
  writeResult();
  writeMetrics(step({ step: 5 }), epoch());
  const { page } = await report();
  expect((await report()).page).toBe(page);
});

test("says that the run counted the same errors, and warns where it cannot be so", async () => {
  writeData(200);
  await writeRun();
  const testErrors = await errorsOf();
  expect(testErrors).toBeGreaterThan(100);
  await writeRun({ testErrors });
  expect(await report()).toMatchObject({
    page: expect.stringMatching(/with the same errors as in the run/),
    warnings: [],
  });
  await writeRun({ testErrors: testErrors - 1 });
  const { page, warnings } = await report();
  expect(page).toMatch(/does not compute as it should/);
  expect(warnings).toEqual([
    expect.stringContaining(`makes ${testErrors} test errors here, but made ${testErrors - 1}`),
  ]);
});

describe("tells how the run ended", () => {
  beforeEach(() => writeData(50));

  test.each([
    { epochs: 2, result: {}, verdict: /Trained 2 epochs, 20 steps in 24\.3 s\./ },
    {
      epochs: 3,
      result: { interruptedBy: "SIGINT" },
      verdict: /Interrupted by SIGINT after 20 steps of 30 in 24\.3 s/,
    },
    { epochs: 3, result: { weightsSha256: "of another step" }, verdict: /Not finished: .* step 20 of 30/ },
    { epochs: 3, result: undefined, verdict: /Not finished: .* step 20 of 30/ },
  ] as const)("$verdict", async ({ epochs, result, verdict }) => {
    await writeRun({ epochs });
    if (result !== undefined) writeResult(result);
    expect((await report()).page).toMatch(verdict);
  });
});

test("needs neither metrics nor a result", async () => {
  writeData(50);
  await writeRun();
  const { page } = await report();
  expect(page).toMatch(/Nothing was measured/);
  expect(page).not.toMatch(/NaN|undefined/);
});

test("takes the checkpoint that went elsewhere because the folder did not take it", async () => {
  writeData(50);
  await writeRun({ epochs: 3 });
  const elsewhere = join(places.folder, "lockstep-run-step-000025.safetensors");
  const state = initialState(2);
  const dataDigest = (await loadDataset(places.data)).digest;
  await writeCheckpoint(
    elsewhere,
    checkpointOf(25, { state, dataDigest, config: { epochs: 3, batchSize: 64, data: places.data } }),
  );
  writeResult({ steps: 25, checkpoint: elsewhere, weightsSha256: stateSha256(state) });
  expect((await report()).page).toContain(`<code>${elsewhere}</code>`);
});

describe("is refused", () => {
  beforeEach(() => writeData(50));
  const refusal = async (): Promise<unknown> =>
    report().then(
      () => undefined,
      (error: unknown) => error,
    );

  test("where there is no folder, a file, or a folder of something else", async () => {
    for (const [dir, message] of [
      ["nowhere", "--run-dir nowhere does not exist"],
      [join(places.data, DATA_FILES.testLabels), "is no folder"],
      [places.data, "holds no run: config.json is not there"],
    ] as const) {
      await expect(writeReport({ runDir: dir })).rejects.toMatchObject({
        code: "usage",
        message: expect.stringContaining(message),
      });
    }
  });

  test("before there is a checkpoint, or where none can be used", async () => {
    expect(await refusal()).toMatchObject({ code: "refused", message: expect.stringMatching(/holds no checkpoint/) });
    writeFileSync(join(places.runDir, "checkpoints", "step-000010.safetensors"), "torn");
    expect(await refusal()).toMatchObject({
      code: "refused",
      message: expect.stringMatching(/none of the 1 checkpoints/),
    });
  });

  test("where a line of metrics.ndjson is damaged, unless it is the last one and torn", async () => {
    await writeRun();
    writeMetrics(step({ step: 5 }), '{"type":"ep');
    expect((await report()).page).toMatch(/Figures|No finished epoch was logged/);
    writeMetrics(step({ step: 5 }), '{"type":"ep', epoch(), "");
    const message = expect.stringMatching(/^line 2 of .*metrics\.ndjson is damaged \(it is not JSON\)/);
    expect(await refusal()).toMatchObject({ code: "refused", message });
  });

  test("where result.json is damaged", async () => {
    await writeRun();
    writeFileSync(join(places.runDir, "result.json"), '{"steps": 20}');
    expect(await refusal()).toMatchObject({
      code: "refused",
      message: expect.stringMatching(/result\.json is damaged \(/),
    });
  });

  test("where the data are others than the run had, or classes.txt is wrong", async () => {
    await writeRun();
    writeData(50, 7);
    expect(await refusal()).toMatchObject({ code: "refused", message: expect.stringMatching(/other data than noise/) });
  });

  test("where it cannot be written", async () => {
    await writeRun();
    mkdirSync(join(places.runDir, "report.html"));
    expect(await refusal()).toMatchObject({
      code: "failed",
      message: expect.stringMatching(/cannot write the report .*EISDIR/),
    });
  });
});
