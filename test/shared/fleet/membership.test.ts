import { describe, expect, test } from "vitest";
import { objection, readyMembers } from "../../../src/shared/fleet/membership.ts";
import { helloOf, TERMS } from "../../support/coordinator-script.ts";
import { memberOf } from "../../support/member.ts";

test("members are listed when they are ready", () => {
  const members = new Map(
    [memberOf("A"), memberOf("B", { ready: false }), memberOf("C")].map((each) => [each.peer, each]),
  );
  expect(readyMembers(members).map(({ peer }) => peer)).toEqual(["A", "C"]);
});

describe("objection", () => {
  const hello = helloOf("a");

  test("there is none to a worker of the same version, model and data", () => {
    expect(objection(hello, TERMS)).toBeUndefined();
  });

  test.each([
    ["protocol-version", { protocol: 1 }, /version 4, the worker 1: install the same version of lockstep/],
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
