import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { LivePages } from "../../src/coordinator/live/live-pages.ts";
import type { PresentWorker } from "../../src/coordinator/live/live-workers.ts";
import { AccessToken } from "../../src/shared/access-token.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { MonitoringServer } from "../../src/shared/http.ts";
import { epoch, finished, resumed, started, step } from "../coordinator/training-events.ts";
import { browserMissing, startBrowser } from "../support/browser.ts";
import { resultOf, useCli } from "../support/cli.ts";

/** The page at / in a real browser, fed by real runs. */

const cli = useCli();
/** Pictures to look at; they go away with the test's folder unless another one is named. */
const SCREENSHOTS = process.env["SCREENSHOTS_OF_TESTS"];
const DEADLINE_MS = 60_000;

let browser: Browser;
const pages: Page[] = [];
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (browserMissing === undefined) browser = await startBrowser();
});
afterAll(async () => {
  if (browserMissing === undefined) await browser.close();
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  for (const close of closers.splice(0)) await close();
});

interface Opened {
  readonly page: Page;
  /** What the console said, and scripts that failed. */
  readonly complaints: string[];
  /** All that was asked for. */
  readonly requests: string[];
}

async function open(url: string): Promise<Opened> {
  const page = await browser.newPage();
  pages.push(page);
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewport({ width: 1_600, height: 1_000 });
  await page.goto(url);
  return { page, complaints, requests };
}

/** The texts of all elements that a selector finds. Scripts for the page are text: this program has no DOM. */
async function textsOf(page: Page, selector: string): Promise<string[]> {
  const found = `document.querySelectorAll(${JSON.stringify(selector)})`;
  return (await page.evaluate(`[...${found}].map(({ textContent }) => textContent)`)) as string[];
}

async function textOf(page: Page, id: string): Promise<string> {
  return (await textsOf(page, `#${id}`)).join();
}

async function sees(page: Page, id: string, pattern: RegExp): Promise<void> {
  await expect.poll(() => textOf(page, id), { timeout: DEADLINE_MS, interval: 50 }).toMatch(pattern);
}

/** How many pixels of each plot are painted. */
async function paintedPixels(page: Page): Promise<readonly number[]> {
  const script = `[...document.querySelectorAll(".plot canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, index) => index % 4 === 3 && value > 0).length;
  })`;
  return (await page.evaluate(script)) as number[];
}

/** In light and dark, on a wide and a narrow screen: nothing is wider than the screen. */
async function photograph(page: Page, name: string): Promise<void> {
  const folder = SCREENSHOTS ?? join(cli.folder(), "screenshots");
  mkdirSync(folder, { recursive: true });
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 1_600]) {
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
}

/** The page of a made-up run in this process. */
async function serve(
  workers: readonly PresentWorker[] = [],
  token?: AccessToken,
): Promise<{ live: LivePages; url: string }> {
  const live = new LivePages({
    ...{ clock: systemClock, unixNow: () => Date.now(), runName: () => "made-up", workers: () => workers },
  });
  const server = new MonitoringServer({
    ...{ metrics: () => Promise.resolve(""), metricsContentType: "text/plain", status: () => ({}) },
    ...{ unready: () => undefined, pages: live.pages },
  });
  closers.push(() => server.close());
  return { live, url: `http://127.0.0.1:${await server.listen("127.0.0.1", 0, { token })}/` };
}

describe.skipIf(browserMissing !== undefined)(`the live page${browserMissing ? ` (${browserMissing})` : ""}`, () => {
  it("shows a run from before its start to its result, and a worker that is lost on the way", async () => {
    const options = ["--limit-train", "6000", "--epochs", "8", "--metrics-port", "0", "--run-dir", "watched"];
    const coordinator = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", "--json", ...options]);
    const [url = ""] = await coordinator.sees(/http:\/\/127\.0\.0\.1:\d+\//);
    const [address = ""] = await coordinator.sees(/tcp:\/\/127\.0\.0\.1:\d+/);
    const { page, complaints, requests } = await open(url);
    await sees(page, "run", /^watched$/);
    expect(await textOf(page, "phase")).toMatch(/^(Starting|Waiting for workers)$/);

    const workers = [1, 2].map(() => cli.start(["worker", "--connect", address]));
    await sees(page, "step", /^\d+ of 752$/);
    const early = Number.parseInt(await textOf(page, "step"), 10);
    await sees(page, "workers", /worker-1ready.*worker-2ready/);
    await expect
      .poll(async () => Number.parseInt(await textOf(page, "step"), 10), { timeout: DEADLINE_MS })
      .toBeGreaterThan(early);
    workers[1]!.kill("SIGKILL");
    await sees(page, "events", /Lost worker worker-\d/);
    await sees(page, "workers", /worker-\dlost/);
    await photograph(page, "training");

    await sees(page, "connection", /^The run has ended/);
    const result = resultOf(await coordinator.ended());
    expect(await textOf(page, "phase")).toBe("Finished");
    expect(await textOf(page, "step")).toBe("752 of 752");
    const accuracy = `${(Number(result["testAccuracy"]) * 100).toFixed(2)} %`;
    expect(await textOf(page, "result-title")).toBe(`Finished with ${accuracy} test accuracy`);
    expect(await textOf(page, "accuracy")).toBe(accuracy);
    expect(await textOf(page, "result-facts")).toContain(result["weightsSha256"]);
    const painted = await paintedPixels(page);
    expect(painted).toHaveLength(3);
    for (const pixels of painted) expect(pixels).toBeGreaterThan(1_000);
    await photograph(page, "finished");

    expect(complaints).toEqual([]);
    expect(requests.filter((request) => !request.startsWith(url) && !request.startsWith("data:"))).toEqual([]);
    // It knows that it is over: it asked for the stream once.
    expect(requests.filter((request) => request === `${url}live`)).toHaveLength(1);
  });

  it("says that the connection is lost, and goes on with a coordinator that comes back", async () => {
    const options = ["--workers", "1", "--epochs", "50", "--checkpoint-every", "20"];
    const start = (port: string) =>
      cli.start(["train", ...options, "--run-dir", "killed", "--metrics-port", port, "--resume"]);
    const first = start("0");
    const [url = "", port = ""] = await first.sees(/http:\/\/127\.0\.0\.1:(\d+)\//);
    const { page } = await open(url);
    await sees(page, "events", /Saved step \d+/);
    first.kill("SIGKILL");
    await sees(page, "connection", /^Connection lost, trying again/);
    await first.ended();
    start(port);
    await sees(page, "connection", /^$/);
    await sees(page, "events", /Resuming/);
    await sees(page, "phase", /^Training$/);
  });

  it("shows names and errors from the network as text, whatever is in them", async () => {
    const evil = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
    const worker: PresentWorker = { name: evil, host: evil, engine: "wasm", device: evil, state: "late", shardMs: 1 };
    const { live, url } = await serve([worker]);
    live.record(started());
    live.record({ type: "warning", message: evil });
    const { page, complaints } = await open(url);
    await sees(page, "workers", /onerror/);
    const cells = await textsOf(page, "#workers tr > *");
    expect(cells.slice(0, 4)).toEqual([evil, "late", evil, `wasm on ${evil}`]);
    expect(await textOf(page, "events")).toContain(evil);
    live.fail(new LockstepError("diverged", `${evil} is no loss`));
    await live.close();
    await sees(page, "phase", /^Failed$/);
    expect(await textOf(page, "note")).toBe(`${evil} is no loss`);
    expect(await textsOf(page, "main img, main script, header img")).toEqual([]);
    expect(await page.title()).toBe("Failed · made-up · lockstep");
    expect(complaints).toEqual([]);
  });

  it("knows a resumed run's best epoch before it evaluates anything", async () => {
    const { live, url } = await serve();
    live.record(resumed({ bestEpoch: 7 }));
    live.record(started({ step: 1500 }));
    const { page } = await open(url);
    await sees(page, "validation-more", /^best epoch: 7$/);
    expect(await page.evaluate(`document.querySelector("#validation-tile").hidden`)).toBe(false);
  });

  it("shows validation images where there are some, which epoch is the best, and why the run ended early", async () => {
    const { live, url } = await serve();
    live.record(started({ epochs: 20, stepsPerEpoch: 2, totalSteps: 40 }));
    const { page, complaints } = await open(url);
    const legend = async (): Promise<string> => (await textsOf(page, "#accuracy-figure .legend")).join();
    const isTileHidden = (): Promise<unknown> => page.evaluate(`document.querySelector("#validation-tile").hidden`);
    const trained = async (number: number, changes: Parameters<typeof epoch>[0]): Promise<void> => {
      for (const each of [2 * number - 1, 2 * number]) live.record(step({ step: each, epoch: number }));
      await sees(page, "step", new RegExp(`^${2 * number} of 40$`));
      if (number === 1) {
        expect(await isTileHidden()).toBe(true);
        expect(await legend()).not.toContain("Validation");
      }
      live.record(epoch({ epoch: number, ...changes }));
    };
    await trained(1, { validationAccuracy: 0.96, isBest: true });
    await sees(page, "validation", /^96\.00 %$/);
    expect(await isTileHidden()).toBe(false);
    await trained(2, { validationAccuracy: 0.97, isBest: true });
    await trained(3, { validationAccuracy: 0.965 });
    await sees(page, "validation", /^96\.50 %$/);
    expect(await textOf(page, "validation-more")).toBe("best epoch: 2");
    await expect.poll(legend).toMatch(/Training.*Validation:?96\.50 %.*Test:?98\.10 %/);
    live.record(finished({ epochs: 3, steps: 6, validationAccuracy: 0.97, bestEpoch: 2, endedBy: "patience" }));
    await live.close();
    await sees(
      page,
      "result-end",
      /epoch 2, the best on the validation images with 97\.00 %.*the last one was no better/,
    );
    expect(await textOf(page, "result-facts")).toContain("SHA-256 of the last weights");
    expect(await textOf(page, "result-facts")).toContain("runs/a/checkpoints/best");
    await photograph(page, "validated");
    expect(complaints).toEqual([]);
  });

  it("asks for the token where there is one, and then shows everything", async () => {
    const path = join(cli.folder(), "token");
    writeFileSync(path, "correct-horse-battery-staple", { mode: 0o600 });
    const { live, url } = await serve([], new AccessToken(path, () => {}));
    live.record(started());
    live.record(step({ step: 7 }));
    const page = await browser.newPage();
    pages.push(page);
    await page.authenticate({ username: "", password: "correct-horse-battery-staple" });
    const answers: string[] = [];
    page.on("response", (response) => answers.push(`${response.status()} ${new URL(response.url()).pathname}`));
    await page.goto(url);
    await sees(page, "step", /^7 of 9,380$/);
    expect(answers).toEqual(expect.arrayContaining(["200 /", "200 /live", "200 /live/main.js", "200 /live/page.css"]));
  });

  it("can be used with the keyboard, and says what its parts are", async () => {
    const { live, url } = await serve();
    live.record(started());
    for (let each = 1; each <= 100; each++) live.record(step({ step: each, loss: 2 / each }));
    const { page } = await open(url);
    await sees(page, "step", /^100 of 9,380$/);
    const legend = async (): Promise<string> => (await textsOf(page, "#loss-figure .legend")).join();
    await expect.poll(legend).toMatch(/Step:?100.*Batch:?0\.0200/);
    await page.focus("#loss-plot");
    for (const key of ["Home", "ArrowRight"] as const) await page.keyboard.press(key);
    await expect.poll(legend).toMatch(/Step:?2Batch:?1\.0000/);
    await page.keyboard.press("Escape");
    await expect.poll(legend).toMatch(/Step:?100/);
    await page.focus("#log-scale");
    await page.keyboard.press("Space");
    expect(await page.evaluate(`document.querySelector("#log-scale").checked`)).toBe(false);

    const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false }));
    for (const name of ["Progress of the run", "Curve over 100 steps. Now: Batch 0.0200", "Logarithmic", "Smoothing"]) {
      expect(tree).toContain(name);
    }
  });
});
