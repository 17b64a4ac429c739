import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { MessageProxy } from "../chaos/message-proxy.ts";
import { TcpProxy } from "../chaos/tcp-proxy.ts";
import { atStep, type TestFleet, useFleet } from "../chaos/use-fleet.ts";

/** What a network can do to a fleet that is in the middle of its work. What else is tested: see chaos.test.ts. */

const { begin } = useFleet();

/** A run whose worker behind the proxy, and the one that is not, are both ready. */
async function beginBehind<Proxy extends { close(): Promise<void> }>(
  listen: (fleet: TestFleet) => Promise<Proxy>,
  addressOf: (proxy: Proxy) => string,
) {
  const fleet = await begin();
  const proxy = await listen(fleet);
  onTestFinished(() => proxy.close());
  const coordinator = fleet.coordinator();
  const worker = fleet.worker(addressOf(proxy));
  await coordinator.sees(/1 worker ready/);
  fleet.worker();
  await coordinator.sees(/2 workers ready/);
  return { fleet, proxy, coordinator, worker };
}

const behindTcp = () =>
  beginBehind(
    ({ port }) => TcpProxy.listen(port),
    ({ port }) => `tcp://127.0.0.1:${port}`,
  );

/** The connection through the proxy, once there is one. */
async function connectionOf(proxy: TcpProxy): Promise<TcpProxy["connections"][number]> {
  while (proxy.connections[0] === undefined) await sleep(10);
  return proxy.connections[0];
}

it("a tenth of the messages is dropped, doubled, delayed or overtaken", async () => {
  const { fleet, proxy, coordinator } = await beginBehind(
    ({ address }) => MessageProxy.listen(address),
    ({ address }) => address,
  );
  proxy.set({ drop: 0.1, duplicate: 0.1, delay: 0.1, reorder: 0.1 });
  const isEnough = (): boolean =>
    [proxy.counts.dropped, proxy.counts.duplicated, proxy.counts.delayed, proxy.counts.reordered].every((n) => n >= 5);
  while (!isEnough() && !coordinator.hasEnded) await sleep(20);
  proxy.heal();
  await fleet.survivor(coordinator);
  expect(isEnough(), JSON.stringify(proxy.counts)).toBe(true);
});

it("a connection ends half-way through a gradient, and half-way through parameters", async () => {
  const { fleet, proxy, coordinator } = await behindTcp();
  for (const [epoch, direction] of [
    [2, "to-target"],
    [4, "to-client"],
  ] as const) {
    await coordinator.sees(atStep(epoch, 10));
    const connection = await connectionOf(proxy);
    // The frames of the convolutions have 10 KB: this is in the midst of the dense layers'.
    connection.set({ cutAfterBytes: (SLICES.dense.contributionLength * 4) / 2 }, direction);
    await connection.closed;
  }
  expect(proxy.counts.cut).toBe(2);
  expect(await fleet.survivor(coordinator)).toMatchObject({ workersLost: 2 });
});

it("bits are flipped, bytes are added and missing", async () => {
  const fleet = await begin();
  const proxy = await TcpProxy.listen(fleet.port);
  onTestFinished(() => proxy.close());
  const coordinator = fleet.coordinator();
  // Nobody else gets on meanwhile.
  fleet.worker(`tcp://127.0.0.1:${proxy.port}`);
  await coordinator.sees(atStep(1, 10));
  const { counts } = proxy;
  proxy.set({ flip: 0.1 }, "to-target");
  while (counts.flipped < 5) await sleep(20);
  await coordinator.sees(/was damaged on its way/);
  proxy.set({ flip: 0.1, insert: 0.1, delete: 0.1 });
  while (counts.inserted + counts.deleted < 2) await sleep(20);
  proxy.heal();
  await fleet.survivor(coordinator);
});

it("nothing passes for a while, in one direction and in both, though no connection ends", async () => {
  const { fleet, proxy, coordinator } = await behindTcp();
  for (const [epoch, directions] of [
    [2, ["to-client"]],
    [4, ["to-target"]],
    [6, ["to-client", "to-target"]],
  ] as const) {
    await coordinator.sees(atStep(epoch, 10));
    proxy.set({ blackHole: true }, ...directions);
    // The other worker alone gets on.
    await coordinator.sees(atStep(epoch, 12));
    proxy.heal();
  }
  await fleet.survivor(coordinator);
});

it("connections are reset, ended and refused again and again", async () => {
  const { fleet, proxy, coordinator, worker } = await behindTcp();
  for (const how of ["reset", "end", "reset", "end"] as const) {
    const connection = await connectionOf(proxy);
    connection.cut(how);
    await connection.closed;
    proxy.refuses = true;
    await sleep(200);
    proxy.refuses = false;
  }
  await fleet.survivor(coordinator);
  expect(proxy.counts.cut).toBe(4);
  expect(await worker.ended()).toMatchObject({ code: 0 });
});
