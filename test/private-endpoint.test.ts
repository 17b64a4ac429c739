import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { privateEndpoint } from "../src/private-endpoint.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-ends-"));
  vi.stubEnv("TMPDIR", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Larger than any that Linux or macOS gives. */
const NOBODY = 2 ** 30;

/** The folder that this process was given, and those as other processes would have left them. */
function setUp() {
  const endpoint = privateEndpoint();
  const own = basename(dirname(endpoint.address));
  const leave = (name: string): string => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "coordinator"), "");
    return name;
  };
  const of = (pid: number, tail = "AbCd_9"): string => own.replace(/-\d+-\w{6}$/, `-${pid}-${tail}`);
  return { endpoint, own, leave, of };
}

test("a folder of its own is there until it is removed", () => {
  const { endpoint, own } = setUp();
  expect(endpoint.address).toBe(`ipc://${join(folder, own)}/coordinator`);
  expect(own).toMatch(new RegExp(`^lockstep-[0-9a-f]{8}-${process.pid}-\\w{6}$`));
  endpoint.remove();
  expect(readdirSync(folder)).toEqual([]);
});

test("what dead processes left is removed, and nothing else", () => {
  const { own, leave, of } = setUp();
  for (const dead of [of(NOBODY), of(NOBODY + 1)]) leave(dead);
  const kept = [
    own,
    leave(of(process.pid)),
    // Process 1 lives, and is somebody else's where this user is not root.
    leave(of(1)),
    leave(of(NOBODY).replace(/^lockstep-.{8}/, "lockstep-elsewher")),
    leave(`lockstep-${NOBODY}`),
    leave(of(NOBODY, "mine")),
    leave("lockstep-cli-test-AbCdEf"),
  ];
  const next = privateEndpoint();
  kept.push(basename(dirname(next.address)));
  expect(readdirSync(folder).toSorted()).toEqual(kept.toSorted());
});

test("what another user's processes left is not", () => {
  const { leave, of } = setUp();
  const left = leave(of(NOBODY));
  const user = process.getuid!();
  vi.spyOn(process, "getuid").mockReturnValue(user + 1);
  privateEndpoint();
  expect(readdirSync(folder)).toContain(left);
});

test("where there is no room for a folder, a port is taken", () => {
  vi.stubEnv("TMPDIR", join(folder, "missing"));
  expect(privateEndpoint().address).toBe("tcp://127.0.0.1:*");
  vi.stubEnv("TMPDIR", join(folder, "x".repeat(80)));
  expect(privateEndpoint().address).toBe("tcp://127.0.0.1:*");
});
