import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages } from "../../src/shared/data/idx.ts";
import { browserMissing, startBrowser } from "../support/browser.ts";
import { type Ended, RunningCommand } from "../support/cli.ts";
import { storedImage } from "../support/drawn-digits.ts";

/** The page of `lockstep demo` in a real browser, with a network that was trained for an epoch, and strokes drawn on it. */

/** Pictures to look at; they go away with the test's folder unless another one is named. */
const SCREENSHOTS = process.env["SCREENSHOTS_OF_TESTS"];
const DEADLINE_MS = 60_000;

type Places = readonly (readonly [x: number, y: number])[];

/** Strokes, as shares of the drawing area. */
const DIGITS: Readonly<Record<string, readonly Places[]>> = {
  "0": [circle(0.5, 0.5, 0.2, 0.28)],
  "1": [
    [
      [0.53, 0.2],
      [0.48, 0.8],
    ],
  ],
  "4": [
    [
      [0.36, 0.2],
      [0.3, 0.52],
      [0.68, 0.5],
    ],
    [
      [0.64, 0.2],
      [0.58, 0.82],
    ],
  ],
  "7": [
    [
      [0.29, 0.25],
      [0.7, 0.24],
      [0.45, 0.82],
    ],
  ],
};

let cwd: string;
let browser: Browser;
let demo: RunningCommand;
let url: string;
const pages: Page[] = [];

const command = (...args: string[]): RunningCommand =>
  new RunningCommand(args, cwd, { LOCKSTEP_REPORT: "false", LOCKSTEP_METRICS_PORT: "0" });
const run = (...args: string[]): Promise<Ended> => command(...args).ended();

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), "lockstep-demo-test-"));
  if (browserMissing !== undefined) return;
  const trained = await run("train", "--epochs", "1", "--quiet");
  expect(trained.code, trained.stderr).toBe(0);
  browser = await startBrowser();
  demo = command("demo", "--port", "0");
  [, url = ""] = await demo.sees(/^Draw a digit at (http:\/\/127\.0\.0\.1:\d+\/)$/m);
}, 240_000);
afterAll(async () => {
  if (browserMissing === undefined) {
    await browser.close();
    demo.kill("SIGKILL");
    await demo.ended();
  }
  rmSync(cwd, { recursive: true, force: true });
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

interface Opened {
  readonly page: Page;
  /** What the console said, and scripts that failed. */
  readonly complaints: string[];
  /** All that was asked for. */
  readonly requests: string[];
}

async function open({ width = 1_280, height = 1_000 } = {}): Promise<Opened> {
  const page = await browser.newPage();
  pages.push(page);
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewport({ width, height });
  await page.goto(url);
  await page.waitForSelector('body[data-state="ready"]');
  return { page, complaints, requests };
}

/** Scripts for the page are text: this program has no DOM. */
async function textOf(page: Page, id: string): Promise<string> {
  return (await page.evaluate(`document.getElementById("${id}").textContent.trim()`)) as string;
}

async function sees(page: Page, id: string, pattern: RegExp): Promise<void> {
  await expect.poll(() => textOf(page, id), { timeout: DEADLINE_MS, interval: 20 }).toMatch(pattern);
}

/** As the bars have them, to the last bit; empty where there is nothing to judge. */
async function probabilitiesOf(page: Page): Promise<readonly number[]> {
  const script = `[...document.querySelectorAll("#bars li[data-probability]")].map(({ dataset }) => dataset.probability)`;
  return ((await page.evaluate(script)) as string[]).map(Number);
}

/** Waits until what was done so far is painted and judged: that takes a frame, or two while another is being judged. */
async function settled(page: Page): Promise<void> {
  for (let frame = 0; frame < 3; frame++) await page.evaluate("new Promise((done) => requestAnimationFrame(done))");
}

/** A way from place to place in many small moves, as a hand makes them, in pixels of the window. */
async function pathOn(page: Page, stroke: Places): Promise<[x: number, y: number][]> {
  const box = await (await page.waitForSelector("#pad"))?.boundingBox();
  if (box === undefined || box === null) expect.fail("there is no drawing area");
  const moves = stroke.flatMap(([x, y], i) => {
    const [toX, toY] = stroke[i + 1] ?? [x, y];
    return Array.from({ length: 8 }, (_, step): [number, number] => [
      x + ((toX - x) * step) / 8,
      y + ((toY - y) * step) / 8,
    ]);
  });
  return moves.map(([x, y]) => [box.x + x * box.width, box.y + y * box.height]);
}

async function draw(page: Page, strokes: readonly Places[]): Promise<void> {
  for (const stroke of strokes) {
    const [[x, y] = [0, 0], ...moves] = await pathOn(page, stroke);
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (const move of moves) await page.mouse.move(...move);
    await page.mouse.up();
  }
  await settled(page);
}

function circle(x: number, y: number, width: number, height: number): Places {
  return Array.from({ length: 25 }, (_, i) => {
    const angle = (i / 24) * 2 * Math.PI - Math.PI / 2;
    return [x + width * Math.cos(angle), y + height * Math.sin(angle)] as const;
  });
}

/** What `lockstep predict` says of each image in a file. */
async function predict(name: string): Promise<readonly { class: number; probabilities: number[] }[]> {
  const { code, stdout, stderr } = await run("predict", "--json", name);
  expect(code, stderr).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as { class: number; probabilities: number[] });
}

/** In light and dark, on a wide screen and on a phone: nothing is wider than the screen. */
async function photograph(page: Page, name: string): Promise<void> {
  const folder = SCREENSHOTS ?? join(cwd, "screenshots");
  mkdirSync(folder, { recursive: true });
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 1_280]) {
      await page.setViewport({ width, height: 900, deviceScaleFactor: 2 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      await settled(page);
      await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
}

describe.skipIf(browserMissing !== undefined)(`the demo page${browserMissing ? ` (${browserMissing})` : ""}`, () => {
  it("knows drawn digits, with the probabilities that predict gives for the saved image, bit for bit", async () => {
    const { page, complaints, requests } = await open();
    expect(await textOf(page, "certainty")).toBe("Nothing is drawn yet.");
    expect(await textOf(page, "step")).toBe("938");
    expect(await textOf(page, "accuracy")).toMatch(/^9\d\.\d\d %$/);
    await photograph(page, "demo-empty");
    await page.setViewport({ width: 1_280, height: 1_000 });

    for (const [digit, strokes] of Object.entries(DIGITS)) {
      await page.click("#clear:enabled").catch(() => {});
      await draw(page, strokes);
      await sees(page, "class", new RegExp(`^${digit}$`));
      expect(await textOf(page, "certainty")).toMatch(/ % sure$/);
      const sheet = (await page.evaluate(`document.getElementById("sheet").toDataURL()`)) as string;
      writeFileSync(join(cwd, "digit.png"), Buffer.from(sheet.slice(sheet.indexOf(",") + 1), "base64"));
      const [predicted] = await predict("digit.png");
      expect(predicted?.class).toBe(Number(digit));
      expect(await probabilitiesOf(page)).toEqual(predicted?.probabilities);
    }
    await photograph(page, "demo-drawn");
    expect(await textOf(page, "timing")).toMatch(/^Prepared in [\d.]+ ms, computed in [\d.]+ ms$/);
    await sees(page, "announcement", /^7 with \d+\.\d\d %$/);

    expect(complaints).toEqual([]);
    expect(requests.filter((request) => !request.startsWith(url) && !request.startsWith("data:"))).toEqual([]);
  });

  it("judges images of the test set as predict does, and says what they are", async () => {
    const { test: mnist } = await loadDataset();
    const three = mnist.labels.indexOf(3);
    writeFileSync(join(cwd, "three.idx"), encodeImages(storedImage(mnist.pixels, three)));
    const { page, complaints } = await open();
    await page.click('#sample-list button[title="Test image of 3"]');
    await sees(page, "truth", /^The test set says 3: right$/);
    const [predicted] = await predict("three.idx");
    expect(await probabilitiesOf(page)).toEqual(predicted?.probabilities);
    expect(await page.evaluate(`document.querySelectorAll("#sample-list button").length`)).toBe(10);
    await photograph(page, "demo-sample");
    expect(complaints).toEqual([]);
  });

  it("is drawn on with a finger, and scrolls only elsewhere", async () => {
    const { page } = await open({ width: 360, height: 800 });
    const touch: CDPSession = await page.createCDPSession();
    const send = (
      type: "touchStart" | "touchMove" | "touchEnd",
      points: readonly [number, number][],
    ): Promise<unknown> =>
      touch.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y]) => ({ x, y })) });
    for (const stroke of DIGITS["7"] ?? []) {
      const [start = [0, 0] as [number, number], ...moves] = await pathOn(page, stroke);
      await send("touchStart", [start]);
      for (const move of moves) await send("touchMove", [move]);
      await send("touchEnd", []);
    }
    await sees(page, "class", /^7$/);
    expect(await page.evaluate("scrollY")).toBe(0);
  });

  it("is drawn on with the keyboard, and says what its parts are", async () => {
    const { page } = await open();
    await page.focus("#pad");
    await page.keyboard.press("Space");
    for (let each = 0; each < 14; each++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await sees(page, "class", /^1$/);
    await settled(page);
    const one = await probabilitiesOf(page);
    const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false }));
    const names = ["Drawing area", "The network's input", "Probability of each class", "Test image of 3"];
    expect(names.filter((name) => !tree.includes(name))).toEqual([]);
    // A second stroke, taken back: the same image, and the same numbers.
    for (const key of ["Space", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Space"] as const)
      await page.keyboard.press(key);
    await expect.poll(() => probabilitiesOf(page)).not.toEqual(one);
    await page.keyboard.down("Control");
    await page.keyboard.press("z");
    await page.keyboard.up("Control");
    await expect.poll(() => probabilitiesOf(page)).toEqual(one);
    await page.keyboard.press("Escape");
    await sees(page, "certainty", /^Nothing is drawn yet\.$/);
    expect(await probabilitiesOf(page)).toEqual([]);
    await sees(page, "announcement", /^Nothing is drawn\.$/);
  });

  it("can be used by other pages, as docs/DEMO.md says", async () => {
    const { page } = await open();
    const script = `import("/site/demo/page/network.js").then(async ({ openNetwork }) => {
      const network = await openNetwork({ kernels: "lenet5.wasm", weights: "weights.bin" });
      const canvas = new OffscreenCanvas(100, 120);
      const context = canvas.getContext("2d");
      context.fillRect(45, 20, 10, 80);
      const { probabilities } = await network.recognise(context.getImageData(0, 0, 100, 120));
      return probabilities.indexOf(Math.max(...probabilities));
    })`;
    expect(await page.evaluate(script)).toBe(1);
  });

  it("says what is wrong when the server has gone, and ends with code 0 at Ctrl-C", async () => {
    const other = command("demo", "--port", "0");
    const [, address = ""] = await other.sees(/^Draw a digit at (\S+)$/m);
    const page = await browser.newPage();
    pages.push(page);
    await page.setRequestInterception(true);
    page.on("request", (request) => {
      void (request.url().endsWith("/weights.bin") ? request.abort() : request.continue());
    });
    await page.goto(address);
    await sees(page, "problem", /^cannot fetch weights\.bin \(.*\): see that lockstep demo is running, then reload$/);
    other.kill("SIGINT");
    expect(await other.ended()).toMatchObject({ code: 0, signal: null });
  });
});
