import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { demoCommand } from "../../src/commands/demo.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { DemoConfig } from "../../src/shared/config.ts";
import { evaluatedCheckpoint } from "../support/checkpoints.ts";

let folder: string;
let checkpoint: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "demo-test-"));
  checkpoint = join(folder, "some");
  await writeCheckpoint(checkpoint, evaluatedCheckpoint(2, 66, { config: { data: join(folder, "gone") } }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const others: Server[] = [];
afterEach(async () => {
  for (const server of others.splice(0)) await once(server.close(), "close");
});

/** Runs the command until its page was asked for. */
async function demo(options: Partial<DemoConfig> = {}) {
  const printed = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof printed) => ({ write: (text: string) => (printed[name] += text) });
  let title: string | undefined;
  const code = await demoCommand(configFrom("demo", { checkpoint, ...options }), {
    ...{ stdout: stream("stdout"), stderr: stream("stderr") },
    ended: async () => {
      const [url = ""] = /http:\S+/.exec(printed.stdout) ?? [];
      title = /<title>(.*)<\/title>/.exec(await (await fetch(url)).text())?.[1];
    },
  });
  return { ...printed, code, title };
}

/** Takes a port, 0 for any, and returns it; undefined when somebody else has it. */
async function take(port: number): Promise<number | undefined> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return undefined;
  }
  others.push(server);
  return (server.address() as AddressInfo).port;
}

test("serves the page and says where, and with which weights", async () => {
  const { stdout, stderr, code, title } = await demo({ port: 0 });
  expect(stdout).toMatch(/^Draw a digit at http:\/\/127\.0\.0\.1:\d+\/\n$/);
  expect(stderr.split("\n")).toEqual([
    expect.stringMatching(/^lockstep demo: note: the page shows no test images: .*gone does not exist/),
    `Checkpoint ${checkpoint}, after step 20, epoch 2, test accuracy 99.34 %`,
    "Ctrl-C ends it",
    "",
  ]);
  expect([code, title]).toEqual([0, "Draw a digit · lockstep"]);
});

test("takes another port when the usual one is taken, and says so", async () => {
  // Whoever has it, it is taken.
  await take(8080);
  const { stdout, stderr, title } = await demo();
  expect(stdout).not.toContain(":8080/");
  expect(stderr).toContain("lockstep demo: port 8080 is in use, so this is another; --port chooses one\n");
  expect(title).toBe("Draw a digit · lockstep");
});

test("refuses a port that was asked for and is taken", async () => {
  const port = await take(0);
  await expect(demo({ port: port ?? 0 })).rejects.toMatchObject({
    ...{ code: "failed", message: `--port ${port} is in use on 127.0.0.1; choose another, or 0 for a free one` },
  });
});

test("refuses an address of another machine, and a checkpoint that is none", async () => {
  await expect(demo({ host: "192.0.2.1", port: 0 })).rejects.toMatchObject({
    ...{
      code: "usage",
      message: expect.stringMatching(/^--host 192\.0\.2\.1 is no address of this machine/) as string,
    },
  });
  await expect(demo({ checkpoint: join(folder, "none") })).rejects.toMatchObject({ code: "refused" });
});
