import { expect, test } from "vitest";
import { simulateTree } from "./simulate-tree.ts";

/**
 * The real coordinator, relays and workers in a made-up world: another seed is another tree and another schedule of
 * faults. To see one again, or very many:
 * `TREE_SEED=123 TREES=1 npx vitest run --project fast test/relay/tree`.
 */
const FIRST = Number(process.env.TREE_SEED ?? 1);
/** Some seconds on two cores. */
const COUNT = Number(process.env.TREES ?? 24);

test(
  `whatever happens in a tree of relays, a run comes to what it comes to in a star (seeds from ${FIRST}, ${COUNT} of them)`,
  async () => {
    let killed = 0;
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      const { faults } = await simulateTree(seed);
      killed += faults.get("relay-kill") ?? 0;
    }
    if (COUNT >= 24) expect(killed).toBeGreaterThan(10);
  },
  60_000 + COUNT * 5_000,
);

test("in a tree in which nothing goes wrong nobody is lost", async () => {
  for (let seed = FIRST; seed < FIRST + 12; seed++) {
    const { losses } = await simulateTree(seed, { disturbed: false });
    expect(losses, `seed ${seed}`).toEqual([]);
  }
}, 60_000);

test("a worker below a relay that computes something else is found out", async () => {
  const wrong = simulateTree(5, {
    disturbed: false,
    sabotage: (world) => {
      const [place] = world.places;
      world.join(place?.below ?? world.root);
      for (const worker of world.workers) worker.errs = true;
    },
  });
  await expect(wrong).rejects.toThrow(/tree 5 failed after\n[^]*step 1 is .*, undisturbed /);
});
