import { expect, test } from "vitest";
import { MessageQuota } from "../../../src/shared/fleet/message-quota.ts";

/** @returns how many of so many messages, one every `everyMs`, are looked at */
function admitted(quota: MessageQuota, peer: string, messages: number, everyMs = 0, from = 0): number {
  let count = 0;
  for (let i = 0; i < messages; i++) if (quota.admit(peer, from + i * everyMs) === "admitted") count += 1;
  return count;
}

const isMember = (peer: string): boolean => peer.startsWith("member");

test("a worker's pongs, and answers that come twice at any speed, are always looked at", () => {
  const quota = new MessageQuota(isMember);
  expect(admitted(quota, "member", 100_000, 20)).toBe(100_000);
  // Ten thousand answers a second, each of which comes once more, in vain.
  for (let i = 0; i < 100_000; i++) {
    if (admitted(quota, "member", 2, 0, 2e6 + i / 10) < 2) expect.fail(`answer ${i} was not looked at`);
    quota.earned("member");
  }
});

test("a whole fleet may greet at once, again and again, as workers do", () => {
  const quota = new MessageQuota(isMember);
  const greetings = [0, 25, 75, 175, 375, 775, 1_575];
  for (let second = 3; second < 60; second++) greetings.push(second * 1_000);
  for (const at of greetings) {
    for (let worker = 0; worker < 256; worker++) expect(quota.admit(`stranger-${worker}`, at)).toBe("admitted");
  }
});

test("a member that sends more than that is stopped, and heard again later; others are not affected", () => {
  const quota = new MessageQuota(isMember);
  expect(admitted(quota, "member-1", 100_000)).toBe(1_024);
  expect(admitted(quota, "member-2", 1_000)).toBe(1_000);
  expect(admitted(quota, "member-1", 100_000, 0, 1_000)).toBe(256);
});

test("a stranger cannot use up what all have; many together can, and members are still heard", () => {
  const quota = new MessageQuota(isMember);
  expect(admitted(quota, "stranger-1", 100_000)).toBe(32);
  expect(quota.admit("stranger-2", 0)).toBe("admitted");
  let looked = 0;
  for (let i = 0; i < 100_000; i++) looked += admitted(quota, `stranger-${i}`, 10);
  expect(looked).toBeLessThan(4_200);
  expect(quota.admit("member", 0)).toBe("admitted");
});
