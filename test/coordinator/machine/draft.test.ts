import { expect, test } from "vitest";
import { Draft } from "../../../src/coordinator/machine/draft.ts";
import { initialState } from "../../../src/coordinator/machine/machine.ts";
import type { Member } from "../../../src/coordinator/machine/membership.ts";
import { NOTHING_HELD } from "../../../src/shared/protocol/holdings.ts";
import { PLAN } from "../../support/coordinator-script.ts";

const member = (peer: string): Member => ({
  ...{ peer, session: `c/${peer}`, name: peer, incarnation: peer, host: "here", pid: 1, engine: "wasm", device: "cpu" },
  ...{ ready: true, holds: NOTHING_HELD, computed: 0, progressAt: 0, pingedAt: 0 },
});

test("the state that a transition begins with never changes", () => {
  const first = new Draft(initialState(PLAN, "c"), 0);
  first.setMember(member("A"));
  first.setMember(member("B"));
  const before = first.state;
  const copy = structuredClone({ ...before, members: [...before.members] });
  const second = new Draft(before, 7);
  second.set({ welcomed: 3 });
  second.touch("A");
  second.removeMember("B");
  second.setMember(member("C"));
  expect({ ...before, members: [...before.members] }).toEqual(copy);
  expect([...second.state.members.keys()]).toEqual(["A", "C"]);
  expect(second.state.members.get("A")?.progressAt).toBe(7);
  expect(second.state.welcomed).toBe(3);
});

test("members that are set as a whole are not written to", () => {
  const draft = new Draft(initialState(PLAN, "c"), 0);
  draft.setMember(member("A"));
  const given = new Map([["B", member("B")]]);
  draft.set({ members: given });
  draft.setMember(member("C"));
  expect([...given.keys()]).toEqual(["B"]);
  expect([...draft.state.members.keys()]).toEqual(["B", "C"]);
});
