import { describe, expect, test } from "vitest";
import { type Member, objection, readyMembers } from "../../../src/coordinator/machine/membership.ts";
import { NOTHING_HELD } from "../../../src/shared/protocol/holdings.ts";
import { helloOf, TERMS } from "../../support/coordinator-script.ts";

const member = (peer: string, ready = true): Member => ({
  ...{ peer, session: `c/${peer}`, name: peer, incarnation: peer, host: "here", pid: 1, engine: "wasm", device: "cpu" },
  ...{ ready, holds: NOTHING_HELD, computed: 0, progressAt: 0, pingedAt: 0 },
});

test("members are listed when they are ready", () => {
  const members = new Map([member("A"), member("B", false), member("C")].map((each) => [each.peer, each]));
  expect(readyMembers(members).map(({ peer }) => peer)).toEqual(["A", "C"]);
});

describe("objection", () => {
  const hello = helloOf("a");

  test("there is none to a worker of the same version, model and data", () => {
    expect(objection(hello, TERMS)).toBeUndefined();
  });

  test.each([
    ["protocol-version", { protocol: 1 }, /version 2, the worker 1: install the same version of lockstep/],
    ["model", { modelDigest: "1".repeat(64) }, /model has other tensors/],
    [
      "data",
      { dataDigest: "1".repeat(64) },
      /trains on MNIST \(digest d{12}\), the worker has other data \(digest 1{12}\)/,
    ],
  ])("%s", (code, changes, message) => {
    expect(objection({ ...hello, ...changes }, TERMS)).toEqual({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  test("to another protocol is told before all else", () => {
    const stranger = { ...hello, protocol: 1, modelDigest: "1".repeat(64), dataDigest: "1".repeat(64) };
    expect(objection(stranger, TERMS)?.code).toBe("protocol-version");
  });
});
