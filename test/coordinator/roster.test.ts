import { expect, test } from "vitest";
import type { Member } from "../../src/shared/fleet/membership.ts";
import { rosterOf } from "../../src/coordinator/roster.ts";
import { memberOf } from "../support/member.ts";

function rosterWith(useWorkers: number, ...changes: readonly Partial<Member>[]) {
  const members = changes.map((each, i) => memberOf(`worker-${i + 1}`, { pid: i + 1, ...each }));
  return rosterOf({ members: new Map(members.map((member) => [member.peer, member])), useWorkers }, ({ pid }) => pid);
}

test("each worker is in one state, the first that says why it gets no shards", () => {
  const roster = rosterWith(
    Infinity,
    {},
    { ready: false },
    { late: true },
    { leaving: "SIGTERM", late: true },
    { leaving: "SIGTERM", ready: false },
  );
  expect(roster.map(({ state }) => state)).toEqual(["ready", "joining", "late", "leaving", "leaving"]);
});

test("those stand by that come after as many as are used, late ones not counted", () => {
  expect(rosterWith(2, {}, { late: true }, {}, {}).map(({ state }) => state)).toEqual([
    ...["ready", "late", "ready", "standby"],
  ]);
});

test("what is known of a worker is told, and nothing else", () => {
  const [plain, gpu] = rosterWith(9, {}, { runtime: "TensorFlow 2", driver: "550", speed: { shardMs: 3, at: 0 } });
  expect(plain).toEqual({
    ...{ name: "worker-1", host: "here", pid: 1, engine: "wasm", device: "cpu", ready: true },
    ...{ state: "ready", silentMs: 1, shardMs: undefined },
  });
  expect(gpu).toMatchObject({ runtime: "TensorFlow 2", driver: "550", silentMs: 2, shardMs: 3 });
});
