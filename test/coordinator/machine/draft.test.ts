import { expect, test } from "vitest";
import { Draft } from "../../../src/coordinator/machine/draft.ts";
import { initialState } from "../../../src/coordinator/machine/machine.ts";
import { PLAN } from "../../support/coordinator-script.ts";
import { memberOf } from "../../support/member.ts";

test("the state that a transition begins with never changes", () => {
  const first = new Draft(initialState(PLAN, "c"), 0);
  first.setMember(memberOf("A"));
  first.setMember(memberOf("B"));
  const before = first.state;
  const copy = structuredClone({ ...before, members: [...before.members] });
  const second = new Draft(before, 7);
  second.set({ welcomed: 3 });
  second.progress(memberOf("A"));
  second.removeMember("B");
  second.setMember(memberOf("C"));
  expect({ ...before, members: [...before.members] }).toEqual(copy);
  expect([...second.state.members.keys()]).toEqual(["A", "C"]);
  expect(second.state.members.get("A")?.progressAt).toBe(7);
  expect(second.state.welcomed).toBe(3);
});

test("members that are set as a whole are not written to", () => {
  const draft = new Draft(initialState(PLAN, "c"), 0);
  draft.setMember(memberOf("A"));
  const given = new Map([["B", memberOf("B")]]);
  draft.set({ members: given });
  draft.setMember(memberOf("C"));
  expect([...given.keys()]).toEqual(["B"]);
  expect([...draft.state.members.keys()]).toEqual(["B", "C"]);
});
