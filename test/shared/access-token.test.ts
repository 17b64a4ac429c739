import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AccessToken } from "../../src/shared/access-token.ts";

const TOKEN = "correct-horse-battery-staple";
const OTHER = "0123456789abcdef0123456789abcdef";

let folder: string;
let path: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-token-test-"));
  path = join(folder, "token");
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(content: string | Buffer, to = path): void {
  writeFileSync(to, content, { mode: 0o600 });
}

const open = (): AccessToken => new AccessToken(path, (message) => warnings.push(message));
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test("is shown as a bearer's, or as a password with any name", () => {
  write(`${TOKEN}\n`);
  const token = open();
  for (const shown of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`, basic(`me:${TOKEN}`), basic(`:${TOKEN}`)]) {
    expect(token.accepts(shown), shown).toBe(true);
  }
  const wrong = [
    ...[
      undefined,
      "",
      "Bearer",
      "Bearer ",
      TOKEN,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Bearer  x ${TOKEN}`,
    ],
    ...[`Digest ${TOKEN}`, basic(`${TOKEN}:`), basic(`me:${TOKEN}\n`), basic(`me:x:${TOKEN}`), "Basic !!!"],
  ];
  for (const shown of wrong) expect(token.accepts(shown), shown).toBe(false);
  expect(warnings).toEqual([]);
});

test("is not in what a dump of the object shows", () => {
  write(TOKEN);
  expect(inspect(open(), { showHidden: true, depth: 9 })).not.toContain(TOKEN);
});

test.each<[string, () => void, RegExp]>([
  ["no file", () => {}, /cannot be read: ENOENT/],
  ["a folder", () => mkdirSync(path), /cannot be read: it is no regular file/],
  ["an empty file", () => write(" \n"), /is empty: make one with: openssl/],
  ["a short token", () => write("swordfish"), /has 9 characters, at least 16/],
  ["two words", () => write(`${TOKEN} ${OTHER}`), /holds more than one word/],
  ["a file that is something else", () => write(Buffer.alloc(10_000, "x")), /has 10000 bytes/],
])("%s is refused with a sentence that does not show what is in it", (_, make, expected) => {
  make();
  expect(open).toThrow(expect.objectContaining({ code: "usage", message: expect.stringMatching(expected) as string }));
  expect(open).not.toThrow(/swordfish|horse/);
});

test("others that can read it are a warning", () => {
  write(TOKEN);
  chmodSync(path, 0o644);
  expect(open().accepts(`Bearer ${TOKEN}`)).toBe(true);
  expect(warnings).toEqual([`anyone on this machine can read the token in ${path}: chmod 600 it`]);
});

test("another token takes its place at once; while there is none the last one counts, which is said once", () => {
  write(TOKEN);
  const token = open();
  const accepted = (): string[] => [TOKEN, OTHER].filter((each) => token.accepts(`Bearer ${each}`));
  write(OTHER, `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(accepted()).toEqual([OTHER]);
  rmSync(path);
  expect(accepted()).toEqual([OTHER]);
  expect(warnings).toEqual([expect.stringMatching(/ENOENT.*; the token that it held before still counts$/)]);
  write(TOKEN);
  expect(accepted()).toEqual([TOKEN]);
  expect(warnings).toHaveLength(1);
});
