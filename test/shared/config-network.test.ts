import { describe, expect, test } from "vitest";
import { networkConflict } from "../../src/shared/config-network.ts";
import { flagName } from "../../src/shared/config-resolve.ts";

const problem = (config: Parameters<typeof networkConflict>[0]): string | undefined =>
  networkConflict(config, flagName);
const KEYS = { key: "coordinator.key", allow: "workers.allow" };

describe("an address that is listened on", () => {
  test.each([
    "tcp://127.0.0.1:5555",
    "tcp://127.8.9.1:*",
    "tcp://localhost:1",
    "tcp://lo:1",
    "tcp://[::1]:1",
    "ipc:///tmp/x",
  ])("%s needs no keys", (listen) => {
    expect(problem({ listen })).toBeUndefined();
    expect(problem({ listen, ...KEYS })).toBeUndefined();
  });

  test.each([
    "tcp://0.0.0.0:5555",
    "tcp://*:1",
    "tcp://10.0.0.1:1",
    "tcp://eth0:1",
    "tcp://[::]:1",
    "tcp://127.evil.example:1",
  ])("%s needs keys, or that one insists", (listen) => {
    expect(problem({ listen })).toMatch(/^--listen \S+ can be reached from other machines, .* say --insecure/);
    expect(problem({ listen, ...KEYS })).toBeUndefined();
    expect(problem({ listen, insecure: true })).toBeUndefined();
  });

  test("a key without a list, and a list without a key, are refused, even there", () => {
    const listen = "tcp://127.0.0.1:5555";
    expect(problem({ listen, key: "k" })).toMatch(/^--key needs --allow/);
    expect(problem({ listen, allow: "a", insecure: true })).toMatch(/^--allow lets nobody in without --key/);
  });
});

test("a relay on loopback may have keys for whom it connects to alone", () => {
  const above = { connect: "tcp://10.0.0.1:5555", key: "k", coordinatorKey: "c" };
  expect(problem({ listen: "tcp://127.0.0.1:5556", ...above })).toBeUndefined();
  expect(problem({ listen: "tcp://10.0.0.2:5556", ...above })).toMatch(/^--key needs --allow/);
  expect(problem({ listen: "tcp://10.0.0.2:5556", ...above, allow: "a" })).toBeUndefined();
});

test("who connects needs both keys, or none", () => {
  const connect = "tcp://10.0.0.1:5555";
  expect(problem({ connect })).toBeUndefined();
  expect(problem({ connect, key: "k", coordinatorKey: "c" })).toBeUndefined();
  expect(problem({ connect, key: "k" })).toMatch(/^--key needs --coordinator-key/);
  expect(problem({ connect, coordinatorKey: "c" })).toMatch(/^--coordinator-key needs --key/);
});
