import { expect, test } from "vitest";
import { attack } from "../fuzz/attacked-run.ts";
import { resultOf, useCli } from "../support/cli.ts";

/** A training run goes on while its port is attacked in all ways that are known here, and ends with the same weights. */

const cli = useCli();
/** It lasts for longer than the attacks, which it is slowed down by. */
const RUN = ["--epochs", "4", "--seed", "3", "--json", "--metrics-port", "0"];

test("attacks on the port neither end, nor change, nor bloat a run", async () => {
  const coordinator = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", "--min-workers", "2", ...RUN]);
  const [, port = ""] = await coordinator.sees(/Listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  const connect = ["worker", "--connect", `tcp://127.0.0.1:${port}`];
  const workers = [cli.start(connect), cli.start(connect)];
  await coordinator.sees(/Training on/);
  const endured = await attack(coordinator.pid, Number(port), Math.trunc(Math.random() * 2 ** 31), 1);
  expect(endured.filesAfter).toBeLessThanOrEqual(endured.filesBefore + 5);
  expect(endured.megabytesAtMost - endured.megabytesBefore).toBeLessThan(400);
  const ended = await coordinator.ended();
  expect(ended.code, ended.stderr).toBe(0);
  for (const worker of workers) expect((await worker.ended()).code).toBe(0);
  const { weightsSha256, samplesLost, samplesRepeated } = resultOf(ended);
  const quiet = resultOf(await cli.run(["train", "--workers", "1", ...RUN]));
  expect({ weightsSha256, samplesLost, samplesRepeated }).toEqual({
    weightsSha256: quiet["weightsSha256"],
    ...{ samplesLost: 0, samplesRepeated: 0 },
  });
}, 240_000);
