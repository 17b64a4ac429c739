import { execFileSync } from "node:child_process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Log, type LogLine } from "../../../src/shared/log/log.ts";

function written(...lines: Partial<LogLine>[]): string[] {
  const texts: string[] = [];
  const now = (): Date => new Date("2026-01-31T12:00:00.000Z");
  const log = new Log({ write: (line) => texts.push(line), now });
  for (const line of lines) {
    log.write({ level: "info", run: "a", worker: null, step: 3, event: "waiting", msg: "a sentence", ...line });
  }
  return texts;
}

test("a line is one object, with its fields in order and numbers as numbers", () => {
  const [line] = written({ level: "warn", worker: "worker-1", fields: { loss: 0.25, tried: [{ workers: 2 }] } });
  expect(line).toBe(
    '{"level":"warn","time":"2026-01-31T12:00:00.000Z","run":"a","worker":"worker-1","step":3,"event":"waiting",' +
      '"msg":"a sentence","loss":0.25,"tried":[{"workers":2}]}\n',
  );
});

test("what is not known is there as null", () => {
  expect(JSON.parse(written({ run: null, step: null })[0]!)).toMatchObject({ run: null, worker: null, step: null });
});

test("what comes from elsewhere is data: no format, and nothing that a reader ends a line at", async () => {
  const nasty = "100 %s %d %j %o %%\r\n\u001B[2J\u007F\u0085\u009B1m\u2028\u2029\0\uD800";
  const texts = written({ msg: nasty, fields: { host: nasty, [nasty]: 1 } }, {});
  const lines: string[] = [];
  for await (const line of createInterface({ input: Readable.from([texts.join("")]) })) lines.push(line);
  expect(lines).toHaveLength(2);
  expect(texts[0]).not.toMatch(/(?!\n)\p{Cc}|[\u2028\u2029]/u);
  const { msg, host, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect([msg, host, rest[nasty]]).toEqual([nasty, nasty, 1]);
});

test("pino-pretty shows it", () => {
  const bin = fileURLToPath(new URL("../../../node_modules/pino-pretty/bin.js", import.meta.url));
  const input = written({ level: "error", fields: { reason: "silent" } }).join("");
  const shown = execFileSync(process.execPath, [bin, "--no-colorLevel", "--colorize=false"], { input }).toString();
  expect(shown).toMatch(/^\[[\d:.]+\] ERROR: a sentence\n/);
  expect(shown).toContain('    event: "waiting"\n');
  expect(shown).toContain('    reason: "silent"\n');
});
