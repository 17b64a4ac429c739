import { expect, test } from "vitest";
import { CoordinatorScript } from "../../support/coordinator-script.ts";

test("of a step only so many members are given shards; another steps in when one is lost", () => {
  const script = new CoordinatorScript({ minWorkers: 2, stepsPerEpoch: 5 });
  script.join("A", "B");
  script.play({ type: "use-workers", count: 1 });
  script.transcript();
  for (const peer of ["A", "B"]) script.computes(peer);
  script.join("C");
  script.sends("A", "dense");
  script.lost("A");
  expect(script.transcript()).toMatchInlineSnapshot(`
    "A: result step 0 dense 1/0
      accept dense 1/0
    A: result step 0 conv 1/0
      accept conv 1/0
    B: result step 0 dense 1/1
      accept dense 1/1
      apply dense of step 0
      A <- assign step 1 shards 0,1,2,3 +dense
    B: result step 0 conv 1/1
      accept conv 1/1
      apply conv of step 0
      A <- parameters 1 conv
      commit step 0
      begin step 1, 4 shards
    C: hello
      C <- welcome as worker-3
    C: ready
      report worker-3 joined, 3 ready
    A: result step 1 dense 2/0
      accept dense 2/0
      apply dense of step 1
      A <- assign step 2 shards 0,1,2,3 +dense
    A is lost: its connection was lost
      report worker-1 lost (its connection was lost), 4 shards reassigned, 2 ready
      B <- assign step 1 shards 0,1,2,3 +dense +conv"
  `);
});

test("the test set is evaluated by all of them", () => {
  const script = new CoordinatorScript({ stepsPerEpoch: 1, evaluationChunks: 40, minWorkers: 2 });
  script.play({ type: "use-workers", count: 1 });
  script.join("A", "B");
  script.transcript();
  script.computes("A");
  expect(script.transcript()).toMatchInlineSnapshot(`
    "A: result step 0 dense 2/0
      accept dense 2/0
      apply dense of step 0
    A: result step 0 conv 2/0
      accept conv 2/0
      apply conv of step 0
      commit step 0
      A <- averaged parameters 1 dense
      A <- averaged parameters 1 conv
      A <- evaluate version 1 chunks 0,1,2,3,4,5,6,7,8,9
      B <- averaged parameters 1 dense
      B <- averaged parameters 1 conv
      B <- evaluate version 1 chunks 10,11,12,13,14,15,16,17"
  `);
});

test.each([
  [1, 1],
  [3, 1],
  [5, 2],
])("workers of speeds %i and %i are done with the test set at about the same time", (fast, slow) => {
  const chunks = 40;
  const script = new CoordinatorScript({ stepsPerEpoch: 1, evaluationChunks: chunks, minWorkers: 2 });
  script.join("A", "B");
  for (const peer of ["A", "B"]) script.computes(peer);
  let rounds = 0;
  while (script.state.phase.type === "evaluating") {
    rounds += 1;
    for (let i = 0; i < fast; i++) script.evaluates("A", 1, 1);
    for (let i = 0; i < slow; i++) script.evaluates("B", 1, 1);
  }
  expect(rounds).toBeLessThanOrEqual(chunks / (fast + slow) + 2);
});
