import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockRun, type RunLock } from "../../src/coordinator/run-lock.ts";

let folder: string;
let warnings: string[];
const locks: RunLock[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-lock-"));
  warnings = [];
});
afterEach(() => {
  for (const lock of locks.splice(0)) lock.release();
  rmSync(folder, { recursive: true, force: true });
});

function lock(path = folder): RunLock {
  const made = lockRun(path, (message) => warnings.push(message));
  locks.push(made);
  return made;
}

const file = (): string => join(folder, "coordinator.lock");
const leave = (holder: unknown): void => writeFileSync(file(), JSON.stringify(holder));
const read = (): Record<string, unknown> => JSON.parse(readFileSync(file(), "utf8")) as Record<string, unknown>;

test("names this process, and is gone once released", () => {
  const made = lock();
  expect(read()).toMatchObject({ host: hostname(), pid: process.pid });
  made.release();
  made.release();
  expect(readdirSync(folder)).toEqual([]);
  lock();
  expect(warnings).toEqual([]);
});

test("is refused to a second run of the same process, by whatever path", () => {
  lock();
  const alias = join(folder, "alias");
  symlinkSync(folder, alias);
  for (const path of [folder, alias]) {
    expect(() => lock(path)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining("(this very process)") }),
    );
  }
});

test("is refused while another process of this machine has it, and taken over once that has ended", async () => {
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const { pid } = other;
  leave({ host: hostname(), pid, born: "" });
  const message = `--run-dir ${folder} is in use by another coordinator (process ${pid} on this machine); wait for its end`;
  expect(() => lock()).toThrow(expect.objectContaining({ code: "usage", message: expect.stringContaining(message) }));
  expect(read()).toEqual({ host: hostname(), pid, born: "" });
  other.kill("SIGKILL");
  await once(other, "close");
  lock();
  expect(read()).toMatchObject({ pid: process.pid });
  expect(warnings).toEqual([]);
});

test.each([
  { what: "of this process's number, from before it began", holder: { host: hostname(), pid: process.pid, born: "" } },
  // Other systems do not tell when a process began.
  ...(process.platform === "linux"
    ? [
        {
          what: "of a process whose number another has now",
          holder: { host: hostname(), pid: process.ppid, born: "x" },
        },
      ]
    : []),
  { what: "of nobody", holder: {} },
  { what: "of no process", holder: { host: hostname(), pid: -1, born: "" } },
])("is taken over where a killed run left one $what", ({ holder }) => {
  leave(holder);
  lock();
  expect(read()).toMatchObject({ pid: process.pid });
  expect(readdirSync(folder)).toEqual(["coordinator.lock"]);
  expect(warnings).toEqual([]);
});

test("is taken over where a process was killed while it took one over", () => {
  leave({ host: hostname(), pid: process.pid, born: "" });
  writeFileSync(`${file()}.takeover`, JSON.stringify({ host: hostname(), pid: process.pid, born: "" }));
  lock();
  expect(read()).toMatchObject({ pid: process.pid });
  expect(readdirSync(folder)).toEqual(["coordinator.lock"]);
});

test("is not taken over while another process does that", () => {
  leave({});
  writeFileSync(`${file()}.takeover`, JSON.stringify({ host: hostname(), pid: process.ppid, born: "" }));
  expect(() => lock()).toThrow(`(process ${process.ppid} on this machine)`);
  expect(readFileSync(file(), "utf8")).toBe("{}");
});

test("is taken over where half of one was left", () => {
  writeFileSync(file(), '{ "host": "');
  lock();
  expect(read()).toMatchObject({ pid: process.pid });
});

test("is taken over from another machine, with a warning", () => {
  leave({ host: "elsewhere", pid: process.ppid, born: "" });
  lock();
  expect(warnings).toEqual([
    expect.stringContaining(`was in use by process ${process.ppid} on elsewhere, which is taken`),
  ]);
});

test.runIf(process.platform === "linux")(
  "is taken over from a process that was killed and is not yet waited for",
  async () => {
    // What takes the shell's place never asks for the exit code of the shell's child.
    const parent = spawn("sh", ["-c", "sleep 100 & echo $!; exec sleep 100"], { stdio: ["ignore", "pipe", "ignore"] });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    try {
      await until(() => readFileSync(`/proc/${parent.pid}/comm`, "utf8") === "sleep\n");
      process.kill(pid, "SIGKILL");
      await until(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "));
      leave({ host: hostname(), pid, born: "" });
      lock();
      expect(read()).toMatchObject({ pid: process.pid });
    } finally {
      parent.kill("SIGKILL");
    }
  },
);

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) expect.fail(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("that another has taken over is not removed", () => {
  const made = lock();
  leave({ host: "elsewhere", pid: 1, born: "" });
  made.release();
  expect(read()).toMatchObject({ host: "elsewhere" });
});

test("may vanish with its folder", () => {
  const made = lock();
  rmSync(folder, { recursive: true });
  made.release();
});

test("that another machine's coordinator has taken over is noticed; one that is gone or damaged is not", () => {
  const made = lock();
  made.assertHeld();
  leave({ host: "elsewhere", pid: 17, born: "" });
  expect(() => made.assertHeld()).toThrow(
    expect.objectContaining({
      code: "failed",
      message: `${folder} was taken over by a coordinator on elsewhere (process 17), which goes on with the run: this one ends`,
    }),
  );
  writeFileSync(file(), "{");
  made.assertHeld();
  rmSync(file());
  made.assertHeld();
});
