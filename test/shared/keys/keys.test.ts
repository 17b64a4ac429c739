import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { curveKeyPair } from "zeromq";
import { AllowList } from "../../../src/shared/keys/allow-list.ts";
import { readPublicKeys, readSecretKey, writeNewFile } from "../../../src/shared/keys/key-files.ts";
import { keyPairOf, newKeyPair } from "../../../src/shared/keys/key-pair.ts";
import {
  isKeyName,
  publicKeyLine,
  publicKeysOf,
  secretKeyOf,
  secretKeyText,
} from "../../../src/shared/keys/key-text.ts";
import { z85 } from "../../../src/shared/keys/z85.ts";

const folder = mkdtempSync(join(tmpdir(), "lockstep-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(content: string): string {
  const path = join(folder, `file-${(files += 1)}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const hex = (digit: string): string => digit.repeat(64);
const usage = (message: RegExp | string): unknown =>
  expect.objectContaining({ code: "usage", message: expect.stringMatching(message) as string });

test("Z85 of the RFC's own example", () => {
  const bytes = Uint8Array.of(0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b);
  expect(z85(bytes)).toBe("HelloWorld");
});

test("key pairs are libzmq's: from its secret key follows its public one", () => {
  for (let i = 0; i < 20; i++) {
    const theirs = curveKeyPair();
    const secretHex = hexOfZ85(theirs.secretKey);
    expect(z85(Buffer.from(keyPairOf(secretHex).publicHex, "hex"))).toBe(theirs.publicKey);
  }
  const [one, other] = [newKeyPair(), newKeyPair()];
  expect(one.secretHex).not.toBe(other.secretHex);
  expect(keyPairOf(one.secretHex)).toEqual(one);
});

describe("text", () => {
  test("what is written is read again", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.string({ unit: "grapheme" }), (bytes, name) => {
        const secretHex = Buffer.from(bytes).toString("hex");
        const clean = name
          .replaceAll(/[\n\r#]|\p{Cc}/gu, "")
          .trim()
          .slice(0, 64)
          .trim();
        expect(secretKeyOf(secretKeyText(secretHex, "worker"))).toEqual({ hex: secretHex });
        expect(publicKeysOf(publicKeyLine({ hex: secretHex, name: clean }))).toEqual({
          keys: [{ hex: secretHex, name: clean }],
        });
      }),
    );
  });

  test("lists have comments, empty lines and capitals", () => {
    const content = `# who may join\n\n${hex("A")}\tgpu one # the old one\r\n${hex("b")}\n`;
    expect(publicKeysOf(content)).toEqual({
      keys: [
        { hex: hex("a"), name: "gpu one" },
        { hex: hex("b"), name: "" },
      ],
    });
  });

  test("a secret among public keys is not taken for one, and never said", () => {
    const found = publicKeysOf(`${hex("a")} worker\n${secretKeyText(hex("5"), "worker")}`);
    expect(found).toEqual({ problem: "holds a secret key in line 3, where public ones belong" });
    expect(secretKeyOf(`secret-key ${hex("5")} more`)).toHaveProperty("problem");
    expect(JSON.stringify(secretKeyOf(`secret ${hex("5")}`))).not.toContain("55");
    expect(secretKeyOf(`${hex("a")} worker\n`)).toHaveProperty("problem", expect.stringContaining("a public key"));
  });

  test.each(["", "../up", ".hidden", "a/b", "a b", "x".repeat(65)])("%j is no name", (name) => {
    expect(isKeyName(name)).toBe(false);
  });
});

describe("files", () => {
  test("a secret is for its owner alone, whatever the umask, and is never overwritten", () => {
    const path = join(folder, "made", "worker.key");
    const before = process.umask(0);
    try {
      expect(writeNewFile(path, secretKeyText(hex("1"), "worker"), 0o600)).toBe(true);
    } finally {
      process.umask(before);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(writeNewFile(path, "else", 0o600)).toBe(false);
    expect(readSecretKey(path, "--key")).toEqual({ ...keyPairOf(hex("1")), warning: undefined });
  });

  test("one that everybody can read is used, with a warning; a group may be meant", () => {
    const path = file(secretKeyText(hex("1"), "worker"));
    chmodSync(path, 0o644);
    expect(readSecretKey(path, "--key").warning).toBe(
      `every user of this machine can read the secret key in ${path}: chmod 600 ${path}`,
    );
    chmodSync(path, 0o640);
    expect(readSecretKey(path, "--key").warning).toBeUndefined();
  });

  test("what is missing or wrong is a sentence, without what it holds", () => {
    expect(() => readSecretKey(join(folder, "none.key"), "--key")).toThrow(
      usage(/^--key .*none\.key does not exist: lockstep keygen/),
    );
    expect(() => readSecretKey(folder, "--key")).toThrow(usage(/is no regular file$/));
    expect(() => readPublicKeys(file("# none\n"), "--allow")).toThrow(usage(/holds no public key$/));
    expect(() => readPublicKeys(file("worker\n"), "--allow")).toThrow(usage(/no public key in line 1: 64 hexa/));
    const secret = file(`secret-key ${hex("7")}x\n`);
    expect(() => readSecretKey(secret, "--key")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("77") as string }),
    );
  });
});

describe("an allow-list", () => {
  const line = (digit: string): string => publicKeyLine({ hex: hex(digit), name: digit });

  test("is read anew when it changes: keys come and go", () => {
    const path = file(line("a") + line("b"));
    const list = new AllowList(path, "--allow");
    expect(list.refresh()).toEqual({ type: "same" });
    expect(list.find(hex("c"))).toBeUndefined();
    appendFileSync(path, line("c"));
    expect(list.refresh()).toEqual({ type: "changed", removed: [] });
    expect(list.find(hex("c"))).toEqual({ hex: hex("c"), name: "c" });
    // As editors and Kubernetes do it: another file takes its place.
    renameSync(file(line("c")), path);
    expect(list.refresh()).toEqual({ type: "changed", removed: ["a", "b"].map((name) => ({ hex: hex(name), name })) });
    expect(list.find(hex("a"))).toBeUndefined();
  });

  test("can be emptied, with a comment alone: nobody may join any more", () => {
    const path = file(line("a"));
    const list = new AllowList(path, "--allow");
    writeFileSync(path, "# nobody");
    expect(list.refresh()).toEqual({ type: "changed", removed: [{ hex: hex("a"), name: "a" }] });
    expect(list.find(hex("a"))).toBeUndefined();
  });

  test("that is damaged or gone says so once, and counts as it was", () => {
    const path = file(line("a"));
    const list = new AllowList(path, "--allow");
    writeFileSync(path, "");
    expect(list.refresh()).toEqual({ type: "unreadable", problem: expect.stringContaining("is empty") as string });
    writeFileSync(path, "half a li");
    expect(list.refresh()).toEqual({ type: "unreadable", problem: expect.stringContaining("line 1") as string });
    expect(list.refresh()).toEqual({ type: "same" });
    expect(list.find(hex("a"))?.name).toBe("a");
    rmSync(path);
    expect(list.refresh()).toEqual({
      type: "unreadable",
      problem: expect.stringContaining("does not exist") as string,
    });
    writeFileSync(path, line("b"));
    expect(list.refresh()).toEqual({ type: "changed", removed: [{ hex: hex("a"), name: "a" }] });
    expect(readFileSync(path, "utf8")).toBe(line("b"));
  });
});

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

function hexOfZ85(text: string): string {
  return (text.match(/.{5}/gs) ?? [])
    .map((group) => group.split("").reduce((value, digit) => value * 85 + DIGITS.indexOf(digit), 0))
    .map((word) => word.toString(16).padStart(8, "0"))
    .join("");
}
