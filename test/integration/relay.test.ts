import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type RunningCommand, resultOf, useCli } from "../support/cli.ts";

/** `lockstep relay` between a coordinator and workers, as processes over real sockets. */

const cli = useCli();
const SMALL = ["--limit-train", "8192", "--batch-size", "256", "--shard-size", "16", "--epochs", "6"];
const QUIETLY = ["--metrics-port", "0", "--json"];

async function listening(command: RunningCommand): Promise<string> {
  const [, address] = await command.sees(/istening on (tcp:\/\/127\.0\.0\.1:\d+)/);
  return address!;
}

const relay = (above: string, listen = "tcp://127.0.0.1:*"): RunningCommand =>
  cli.start(["relay", "--connect", above, "--listen", listen, "--metrics-port", "0"]);

const worker = (address: string): RunningCommand => cli.start(["worker", "--connect", address]);

it("a tree of relays trains to the weights of a single node, though a relay is killed and started again", async () => {
  const coordinator = cli.start([
    ...["coordinator", "--listen", "tcp://127.0.0.1:*", "--log-every", "8", ...SMALL, ...QUIETLY],
  ]);
  const root = await listening(coordinator);
  const upper = relay(root);
  const upperAddress = await listening(upper);
  const lower = relay(upperAddress);
  const lowerAddress = await listening(lower);
  const workers = [upperAddress, upperAddress, lowerAddress, lowerAddress].map((address) => worker(address));
  await coordinator.sees(/Step \[16\/32\]/);
  lower.kill("SIGKILL");
  await upper.sees(/lost worker-1\.\d: its connection was lost/);
  const again = relay(upperAddress, lowerAddress);
  await again.sees(/2 workers below/);
  upper.kill("SIGKILL");
  await coordinator.sees(/lost worker worker-1: its connection was lost/);
  const upperAgain = relay(root, upperAddress);
  await upperAgain.sees(/3 workers below/);
  const ended = await coordinator.ended();
  expect(ended.code).toBe(0);
  const { weightsSha256, testErrors, samplesLost, samplesRepeated } = resultOf(ended);
  const alone = resultOf(await cli.run(["train", ...SMALL, ...QUIETLY, "--workers", "1"]));
  expect({ weightsSha256, testErrors }).toEqual({
    weightsSha256: alone.weightsSha256,
    testErrors: alone.testErrors,
  });
  expect({ samplesLost, samplesRepeated }).toEqual({ samplesLost: 0, samplesRepeated: 0 });
  for (const command of [...workers, again, upperAgain]) {
    const { code, stderr } = await command.ended();
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/the run is done/);
  }
});

it("a relay that is told to end lets its workers finish, who go on below the next one", async () => {
  const coordinator = cli.start([
    ...["coordinator", "--listen", "tcp://127.0.0.1:*", "--log-every", "8", ...SMALL, ...QUIETLY],
  ]);
  const root = await listening(coordinator);
  const first = relay(root);
  const address = await listening(first);
  const below = worker(address);
  await coordinator.sees(/Step \[8\/32\]/);
  first.kill("SIGTERM");
  expect((await first.ended()).code).toBe(143);
  await coordinator.sees(/Released worker worker-1: it received SIGTERM/);
  await below.sees(/joining again: this relay ends/);
  relay(root, address);
  const ended = await coordinator.ended();
  expect(resultOf(ended)).toMatchObject({ workersLost: 0, samplesLost: 0 });
  expect(await below.ended()).toMatchObject({ code: 0 });
});

it("a relay's /readyz and /metrics tell whether it works, and for how many", async () => {
  const coordinator = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", ...SMALL, ...QUIETLY]);
  const command = relay(await listening(coordinator));
  const address = await listening(command);
  const [, url] = await command.sees(/(http:\/\/\S+)\/metrics/);
  expect(await (await fetch(`${url}/readyz`)).text()).toMatch(/nobody has joined below yet/);
  worker(address);
  await command.sees(/1 worker below/);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toMatch(/lockstep_relay_workers_ready\{run="[^"]+",worker="worker-1"\} 1/);
  expect(await (await fetch(`${url}/status`)).json()).toMatchObject({
    ...{ worker: "worker-1", unready: null },
    workers: [{ name: "worker-1.1", engine: "wasm", ready: true }],
  });
  expect((await coordinator.ended()).code).toBe(0);
});

it("with keys, relays and workers take part that are on the lists, each link with keys of its own", async () => {
  for (const names of [[], ["--name", "relay"]]) expect((await cli.run(["keygen", ...names])).code).toBe(0);
  const key = (name: string): string => join(cli.folder(), "keys", name);
  appendFileSync(key("workers.allow"), readFileSync(key("relay.pub")));
  const door = ["--allow", key("workers.allow")];
  const coordinator = cli.start([
    ...["coordinator", "--listen", "tcp://127.0.0.1:*", "--key", key("coordinator.key"), ...door, ...SMALL, ...QUIETLY],
  ]);
  const root = await listening(coordinator);
  const between = cli.start([
    ...["relay", "--connect", root, "--listen", "tcp://127.0.0.1:*", "--key", key("relay.key"), ...door],
    ...["--coordinator-key", key("coordinator.pub")],
  ]);
  const address = await listening(between);
  const strange = ["--key", key("coordinator.key"), "--coordinator-key", key("relay.pub")];
  const stranger = cli.start(["worker", "--connect", address, "--coordinator-timeout-s", "2", ...strange]);
  const refused = await stranger.ended();
  // Not before, since the run and its relay may end soon after.
  const known = cli.start([
    ...["worker", "--connect", address, "--key", key("worker.key"), "--coordinator-key", key("relay.pub")],
  ]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/does not know this worker's key/);
  expect(resultOf(await coordinator.ended())).toMatchObject({ workersLost: 0, samplesLost: 0 });
  expect((await known.ended()).code).toBe(0);
  expect((await between.ended()).stderr).toMatch(/not let in/);
});
