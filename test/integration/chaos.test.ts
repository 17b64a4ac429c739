import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { encode } from "../../src/shared/protocol/codec.ts";
import { withChecksums } from "../../src/shared/transport/frame-checksums.ts";
import { temporariesIn, untilCheckpointIsWritten } from "../chaos/damage-checkpoints.ts";
import { ask, atStep, stepOf, useFleet } from "../chaos/use-fleet.ts";
import type { RunningCommand } from "../support/cli.ts";
import { NO_TIME, pack } from "../support/messages.ts";
import { RogueWorker } from "../support/rogue.ts";

/**
 * What distributed trainers are tested with by those who trust them, and where each of it is done here. A run survives
 * when its weights are those of an undisturbed one. Each test of the two chaos files also bounds the time without a
 * step, and finds no process, socket or temporary file left behind.
 *
 *  1. SIGKILL, exit, throw at chosen steps        here; exit and throw in single-node.test.ts
 *  2. all workers die, later ones join            here; in-process.test.ts
 *  3. a schedule of joins and leaves              here
 *  4. the coordinator is killed in a step         resume.test.ts; while it writes a checkpoint: here
 *  5. SIGSTOP past every time-out, then SIGCONT   here
 *  6. messages are dropped, doubled, reordered    chaos-network.test.ts; without drops in in-process.test.ts
 *  7. death half-way through a gradient           chaos-network.test.ts
 *  8. a fixed and a wandering straggler           here
 *  9. NaN from one worker, NaN everywhere         fleet.test.ts, in-process.test.ts
 * 10. oversize, truncated, wrong shape            here; flipped bytes in chaos-network.test.ts, random ones in
 *                                                 fleet.test.ts, every kind of damage in codec-damage.test.ts
 * 11. exit codes                                  fleet.test.ts, single-node.test.ts
 * 12. bounds on the time to recover               here, chaos-network.test.ts
 * 13. nothing leaks                               here, chaos-network.test.ts; memory in in-process.test.ts
 * 14. a long run with random faults               npm run chaos; for some seconds in chaos-command.test.ts
 * 15. the machine under random orders of events   coordinator/machine/machine.property.test.ts
 */

const { begin } = useFleet();

describe("workers that come and go", () => {
  it("by a schedule, at chosen steps", async () => {
    const fleet = await begin();
    const coordinator = fleet.coordinator();
    const workers: RunningCommand[] = [];
    const join = async (): Promise<void> => {
      const worker = fleet.worker();
      workers.push(worker);
      await coordinator.sees(new RegExp(`joined: .*, pid ${worker.pid};`));
    };
    const oldest = (): RunningCommand => workers.shift()!;
    await Promise.all([join(), join(), join()]);
    let leaver: RunningCommand | undefined;
    const schedule: readonly (readonly [epoch: number, step: number, happens: () => unknown])[] = [
      [1, 10, () => oldest().kill("SIGKILL")],
      [1, 63, join],
      [2, 1, join],
      [3, 30, () => (leaver = oldest()).kill("SIGTERM")],
      [4, 62, () => oldest().kill("SIGKILL")],
      [5, 1, () => oldest().kill("SIGKILL")],
      [5, 63, () => fleet.worker()],
    ];
    for (const [epoch, step, happens] of schedule) {
      await coordinator.sees(atStep(epoch, step));
      await happens();
    }
    expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: 3 });
    expect(await leaver?.ended()).toMatchObject({ code: 143 });
  });

  it("all at once, and others later", async () => {
    const fleet = await begin();
    const coordinator = fleet.coordinator();
    const workers = [fleet.worker(), fleet.worker(), fleet.worker()];
    await coordinator.sees(/3 workers ready/);
    for (const worker of workers) worker.kill("SIGKILL");
    await coordinator.sees(/0 workers left/);
    fleet.worker();
    expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: 3 });
  });
});

describe("workers that are late", () => {
  it("may answer long after others did: what they send then is fenced off", async () => {
    const fleet = await begin();
    const coordinator = fleet.coordinator();
    const [sleeper] = [fleet.worker(), fleet.worker()];
    await coordinator.sees(/2 workers ready/);
    // A worker may be stopped while it owes nothing.
    do {
      sleeper.kill("SIGSTOP");
      const step = await stepOf(coordinator);
      // The step under way when it was stopped is done without it.
      while ((await stepOf(coordinator)) < step + 2) await sleep(20);
      sleeper.kill("SIGCONT");
      await sleep(100);
    } while (!/^lockstep_results_rejected_total\{.*\} [1-9]/m.test(await ask(coordinator, "metrics")));
    await fleet.survivor(coordinator);
  });

  it("may be stopped until nobody counts on them, and take part again afterwards", async () => {
    const fleet = await begin();
    const coordinator = fleet.coordinator("--min-workers", "2");
    const [sleeper, other] = [fleet.worker(), fleet.worker()];
    await coordinator.sees(atStep(2, 20));
    sleeper.kill("SIGSTOP");
    const lost = coordinator.sees(/lost worker worker-\d: .*1 worker left/).then(() => true);
    // On a fast machine the other one would have done all that is left before.
    while (!(await Promise.race([lost, sleep(20, false)]))) {
      other.kill("SIGSTOP");
      await Promise.race([lost, sleep(300)]);
      other.kill("SIGCONT");
    }
    sleeper.kill("SIGCONT");
    expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: 1 });
    const { code, stderr } = await sleeper.ended();
    expect(code).toBe(0);
    expect(stderr.match(/welcomed as/g)).toHaveLength(2);
  });

  it("always the same one, or one after the other: none of them is given up", async () => {
    const fleet = await begin();
    const coordinator = fleet.coordinator();
    const workers = [fleet.worker(), fleet.worker(), fleet.worker()];
    await coordinator.sees(/3 workers ready/);
    const straggle = async (worker: RunningCommand): Promise<void> => {
      worker.kill("SIGSTOP");
      await sleep(150);
      worker.kill("SIGCONT");
      await sleep(15);
    };
    for (let i = 0; i < 15; i++) await straggle(workers[0]!);
    for (let i = 0; i < 15; i++) await straggle(workers[i % 3]!);
    expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: 0 });
  });
});

describe("a coordinator that is killed while it writes a checkpoint", () => {
  it("goes on from the one before, with the same workers", async () => {
    const fleet = await begin();
    const workers: RunningCommand[] = [];
    let unfinished = 0;
    for (let life = 1; life <= 2; life++) {
      const coordinator = fleet.coordinator("--checkpoint-every", "25");
      if (life === 1) workers.push(fleet.worker(), fleet.worker());
      await coordinator.sees(/Step \[\d+\/63\]/);
      // Each life gets further than the one before.
      for (let i = 0; i < 2; i++) expect(await untilCheckpointIsWritten(fleet.checkpoints, 60_000)).toBe(true);
      coordinator.kill("SIGKILL");
      await coordinator.ended();
      unfinished += temporariesIn(fleet.checkpoints).length;
    }
    // It may just have been finished.
    expect(unfinished).toBeGreaterThan(0);
    const result = await fleet.survivor(fleet.coordinator("--checkpoint-every", "25"));
    expect(result).toMatchObject({ workersLost: 0, resumedFrom: expect.any(Number) });
    expect((await Promise.all(workers.map((worker) => worker.ended()))).map(({ code }) => code)).toEqual([0, 0]);
  });
});

it("gives up peers whose results are cut short, too large or of another shape", async () => {
  const fleet = await begin();
  const coordinator = fleet.coordinator();
  const spoils: readonly ((header: Uint8Array, sums: Uint8Array[]) => Uint8Array[])[] = [
    (header) => [header],
    (header, [sum]) => [header, sum!.subarray(0, 5_000)],
    (header, sums) => [header, ...sums, ...sums],
    (header) => [header, new Uint8Array(1_500_000)],
    (_, sums) => [pack({ type: "result", slice: "dense" }), ...sums],
  ];
  for (const [i, spoil] of spoils.entries()) {
    const rogue = await RogueWorker.join(fleet.address);
    const { session, step, shards } = await rogue.until("assign");
    const nodes = shards.map(({ index }) => ({ level: 0, index }));
    const zeros = nodes.map(() => new Float32Array(SLICES.conv.contributionLength));
    const [header, ...sums] = encode({ type: "result", session, step, slice: "conv", spent: NO_TIME, nodes }, ...zeros);
    await rogue.sendRaw(...withChecksums(spoil(header!, sums)));
    await coordinator.sees(new RegExp(`lost worker worker-${i + 1}:`));
    rogue.close();
  }
  fleet.worker();
  expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: spoils.length });
});
