import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultOf, useCli } from "../support/cli.ts";
import { buildImage, dockerMissing } from "../support/docker.ts";
import { DockerFleet, type Member, resultIn } from "../support/docker-fleet.ts";

/** A fleet in real containers, on a real network, and what may befall it there. */

const reason = dockerMissing === undefined ? "" : ` (${dockerMissing})`;
const BUILD_LIMIT_MS = 600_000;
const LIMIT_MS = 240_000;

/** 125 steps an epoch. Of a shard's size there are eight a step, so that all workers have some. */
const SMALL = ["--limit-train", "8000", "--shard-size", "8", "--epochs", "2"];

const cli = useCli();

describe.skipIf(dockerMissing !== undefined)(`a fleet in containers${reason}`, () => {
  let weights: unknown;
  let fleet: DockerFleet;

  beforeAll(buildImage, BUILD_LIMIT_MS);

  beforeEach(async () => {
    weights ??= resultOf(await cli.run(["train", ...SMALL, "--metrics-port", "0", "--json"])).weightsSha256;
    expect(weights).toMatch(/^[0-9a-f]{64}$/);
    fleet = await DockerFleet.create();
  });

  afterEach(async () => {
    await fleet.remove();
  });

  async function workers(count: number): Promise<Member[]> {
    return Promise.all(Array.from({ length: count }, () => fleet.worker()));
  }

  /** Which name a worker has with the coordinator. */
  async function nameOf(worker: Member): Promise<string> {
    const [, name] = await worker.sees(/welcomed as (worker-\d+)/);
    return name!;
  }

  it(
    "trains to the weights of single-node mode outside of any, and ends all by itself",
    async () => {
      const coordinator = await fleet.coordinator(...SMALL, "--min-workers", "3");
      const three = await workers(3);
      const outcome = await coordinator.ended();
      expect(outcome).toMatchObject({ code: 0, outOfMemory: false });
      expect(resultIn(outcome)).toMatchObject({ workers: 3, workersLost: 0, samplesLost: 0, weightsSha256: weights });
      for (const worker of three) {
        expect(await worker.ended()).toMatchObject({ code: 0, output: expect.stringMatching(/the run is done/) });
      }
    },
    LIMIT_MS,
  );

  it(
    "trains to the same while one worker is killed, one frozen and one cut off",
    async () => {
      // While any of three is missing the run waits: however fast it is, it is not over before the next fault.
      const coordinator = await fleet.coordinator(...SMALL, "--min-workers", "3", "--log-every", "5");
      const [killed, frozen, cutOff] = (await workers(3)) as [Member, Member, Member];
      await coordinator.sees(/Step \[5\/125\]/);

      await killed.kill("SIGKILL");
      expect(await killed.ended()).toMatchObject({ code: 137, outOfMemory: false });
      await coordinator.sees(new RegExp(`lost worker ${await nameOf(killed)}: its connection was lost`));

      const frozenAs = await nameOf(frozen);
      await frozen.pause();
      await coordinator.sees(new RegExp(`lost worker ${frozenAs}: `));
      await frozen.unpause();
      await frozen.sees(/(welcomed as [^]*){2}/);

      const cutOffAs = await nameOf(cutOff);
      const heal = await cutOff.partition();
      await coordinator.sees(new RegExp(`lost worker ${cutOffAs}: `));
      await heal();
      await cutOff.sees(/(welcomed as [^]*){2}/);

      const [replacement] = await workers(1);
      const outcome = await coordinator.ended();
      expect(resultIn(outcome)).toMatchObject({ workersLost: 3, samplesLost: 0, weightsSha256: weights });
      for (const worker of [frozen, cutOff, replacement!]) expect(await worker.ended()).toMatchObject({ code: 0 });
    },
    LIMIT_MS,
  );

  it(
    "goes on from its volume when the coordinator's container is killed, and when it is stopped",
    async () => {
      const coordinator = await fleet.coordinator(...SMALL, "--checkpoint-every", "20", "--log-every", "5");
      const three = await workers(3);

      await coordinator.sees(/Step \[30\/125\]/);
      await coordinator.kill("SIGKILL");
      expect(await coordinator.ended()).toMatchObject({ code: 137 });
      await coordinator.startAgain();
      await coordinator.sees(/Resuming \/runs\/run from step \d+ of 250/);

      await coordinator.sees(/Epoch \[1\/2\] done/);
      await coordinator.kill("SIGTERM");
      const stopped = await coordinator.ended();
      expect(stopped.code).toBe(143);
      expect(stopped.output).toMatch(/Interrupted by SIGTERM after \d+ steps/);
      // It tells its workers that it ends, and they do, so that a supervisor starts them again.
      for (const worker of three) expect(await worker.ended()).toMatchObject({ code: 143 });

      await coordinator.startAgain();
      await workers(1);
      const outcome = await coordinator.ended();
      expect(outcome.code).toBe(0);
      expect(resultIn(outcome)).toMatchObject({ samplesLost: 0, weightsSha256: weights });
      // A supervisor may start it once more: it tells the result again, and needs no workers for that.
      await coordinator.startAgain();
      expect(resultIn(await coordinator.ended())).toMatchObject({ weightsSha256: weights });
    },
    LIMIT_MS,
  );

  it(
    "goes on without a worker whose memory is used up",
    async () => {
      const coordinator = await fleet.coordinator(...SMALL, "--log-every", "5");
      const [other, victim] = [await fleet.worker(), await fleet.worker([], { memoryMiB: 256 })];
      const [name] = [await nameOf(victim), await coordinator.sees(/Step \[5\/125\]/)];
      // Takes more than there is. The kernel ends whoever scores highest, which is made the worker.
      const greedy = "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));";
      await victim.exec(
        ...[
          "sh",
          "-c",
          `for p in /proc/[0-9]*; do echo 900 > $p/oom_score_adj; done; echo 0 > /proc/self/oom_score_adj; node -e '${greedy}'`,
        ],
      );
      expect(await victim.ended()).toMatchObject({ code: 137, outOfMemory: true });
      await coordinator.sees(new RegExp(`lost worker ${name}: its connection was lost`));
      expect(resultIn(await coordinator.ended())).toMatchObject({ workersLost: 1, weightsSha256: weights });
      expect(await other.ended()).toMatchObject({ code: 0 });
    },
    LIMIT_MS,
  );

  it(
    "lets nobody in whose key is not on the list, and says so to them",
    async () => {
      const coordinator = await fleet.coordinator(...SMALL);
      await (await fleet.start(["keygen", "--name", "stranger"])).ended();
      const stranger = await fleet.start([
        ...["worker", "--connect", "tcp://coordinator:5555", "--key", "/keys/stranger.key"],
        ...["--coordinator-key", "/keys/coordinator.pub", "--coordinator-timeout-s", "3"],
      ]);
      const { code, output } = await stranger.ended();
      expect(code).toBe(1);
      expect(output).toMatch(/does not know this worker's key/);
      expect(await coordinator.output()).not.toMatch(/joined/);
    },
    LIMIT_MS,
  );
});
