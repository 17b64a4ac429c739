import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Dealer, Router } from "zeromq";
import { LockstepError } from "../../../src/shared/errors.ts";
import { withChecksums } from "../../../src/shared/transport/frame-checksums.ts";
import { connectZmq } from "../../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../../src/shared/transport/zmq-listener.ts";
import { transportCompliance } from "../../compliance/transport.ts";

const folder = mkdtempSync(join(tmpdir(), "lockstep-zmq-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DEADLINE = { timeout: 10_000, interval: 2 };
const HANDLERS = { onMessage: () => {}, onUnreachable: () => {}, onDamaged: () => {} };

let sockets = 0;
transportCompliance("ZeroMQ tcp", { listen: () => listenZmq("tcp://127.0.0.1:*"), connect: connectZmq });
transportCompliance("ZeroMQ ipc", {
  listen: () => listenZmq(`ipc://${join(folder, `socket-${(sockets += 1)}`)}`),
  connect: connectZmq,
});

const open: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((end) => end.close())));

describe("addresses", () => {
  test("a free port is taken and named", async () => {
    const [first, second] = [await listenZmq("tcp://127.0.0.1:*"), await listenZmq("tcp://127.0.0.1:*")];
    open.push(first, second);
    expect(first.address).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(second.address).not.toBe(first.address);
  });

  test("a port in use is refused with advice", async () => {
    const first = await listenZmq("tcp://127.0.0.1:*");
    open.push(first);
    const error = await refusal(first.address);
    expect(error.code).toBe("failed");
    expect(error.message).toBe(
      `cannot listen on ${first.address}: something else listens there: stop it, or choose another port ` +
        "(tcp://127.0.0.1:* takes a free one)",
    );
  });

  test("a port is free again once it was closed", async () => {
    const first = await listenZmq("tcp://127.0.0.1:*");
    await first.close();
    await vi.waitFor(async () => open.push(await listenZmq(first.address)), DEADLINE);
  });

  test.each([
    ["an address of another machine", "tcp://192.0.2.1:5555", /no such address/],
    ["no network interface", "tcp://nowhere0:5555", /no such network interface/],
    ["a folder that does not exist", `ipc://${join(folder, "absent", "socket")}`, /the folder of the ipc path/],
    ["no address at all", "nonsense", /cannot listen on nonsense: \S/],
  ])("%s is refused", async (_, address, message) => {
    expect((await refusal(address)).message).toMatch(message);
  });

  test("a worker cannot connect to nonsense", () => {
    expect(() => connectZmq("nonsense")).toThrow(LockstepError);
    expect(() => connectZmq("nonsense")).toThrow("cannot connect to nonsense: ");
  });
});

async function refusal(address: string): Promise<LockstepError> {
  const error: unknown = await listenZmq(address).then(
    (transport) => transport.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LockstepError);
  return error as LockstepError;
}

describe("a worker", () => {
  test("that comes first reaches a coordinator that listens later, and the next one after it", async () => {
    const free = await listenZmq("tcp://127.0.0.1:*");
    await free.close();
    const worker = connectZmq(free.address);
    worker.start(HANDLERS);
    open.push(worker);
    for (const life of [1, 2]) {
      const coordinator = await vi.waitFor(() => listenZmq(free.address), DEADLINE);
      const heard: string[] = [];
      coordinator.start({ ...HANDLERS, onMessage: (_, [frame]) => heard.push(String(frame)) });
      await vi.waitUntil(() => {
        worker.send([Buffer.from(`life ${life}`)]);
        return heard.length > 0;
      }, DEADLINE);
      expect(new Set(heard), "nothing that was meant for an earlier coordinator").toEqual(new Set([`life ${life}`]));
      await coordinator.close();
    }
  });

  test("that has stopped reading is given up, without holding up anyone", async () => {
    const coordinator = await listenZmq("tcp://127.0.0.1:*");
    const peers: string[] = [];
    const unreachable: string[] = [];
    coordinator.start({
      ...HANDLERS,
      onMessage: (peer) => peers.push(peer),
      onUnreachable: (peer) => unreachable.push(peer),
    });
    // Never started: nothing reads what comes.
    const worker = connectZmq(coordinator.address);
    open.push(coordinator, worker);
    await vi.waitUntil(() => {
      worker.send([Buffer.from("hello")]);
      return peers.length > 0;
    }, DEADLINE);
    const frame = new Uint8Array(240_000);
    for (let i = 0; i < 1_000; i++) coordinator.send(peers[0]!, [frame]);
    await vi.waitUntil(() => unreachable.length > 0, DEADLINE);
    expect(new Set(unreachable)).toEqual(new Set([peers[0]]));
  });
});

describe("a message that was damaged", () => {
  const WHOLE = withChecksums([Buffer.from("whole")]);
  const [frame, checksum] = WHOLE as [Uint8Array, Uint8Array];

  test("is told to the coordinator with its sender, and not delivered", async () => {
    const coordinator = await listenZmq("tcp://127.0.0.1:*");
    const told: string[] = [];
    coordinator.start({
      ...HANDLERS,
      onMessage: (peer, [first]) => told.push(`${peer}: ${String(first)}`),
      onDamaged: (peer, problem) => told.push(`${peer}: ${problem.split(",")[0]}`),
    });
    const sender = new Dealer({ linger: 0 });
    open.push(coordinator, { close: () => Promise.resolve(sender.close()) });
    sender.connect(coordinator.address);
    for (const frames of [WHOLE, [Buffer.from("wHole"), checksum], [frame], WHOLE]) await sender.send([...frames]);
    await vi.waitUntil(() => told.length === 4, DEADLINE);
    const [peer] = told[0]!.split(":");
    expect(told.map((text) => text.replace(peer!, "sender"))).toEqual([
      "sender: whole",
      "sender: a message was damaged on its way: frame 0",
      "sender: a message was damaged on its way: 0 frames came with 5 bytes of checksums",
      "sender: whole",
    ]);
  });

  describe("on its way to a worker", () => {
    let router: Router;
    let told: string[];
    let peers: Buffer[];

    beforeEach(async () => {
      [told, peers] = [[], []];
      router = new Router({ mandatory: true, linger: 0 });
      await router.bind("tcp://127.0.0.1:*");
      void (async () => {
        for await (const [peer] of router) if (peers.every((known) => !known.equals(peer!))) peers.push(peer!);
      })();
      const worker = connectZmq(router.lastEndpoint!);
      worker.start({
        onMessage: ([first]) => told.push(String(first)),
        onDamaged: (problem) => told.push(problem.slice(0, 47)),
      });
      const greeting = setInterval(() => worker.send([Buffer.from("hello")]), 5);
      open.push(worker, {
        close: () => {
          clearInterval(greeting);
          return Promise.resolve(router.close());
        },
      });
      await vi.waitUntil(() => peers.length === 1, DEADLINE);
    });

    test("is told, and the worker leaves the connection with all that follows for a new one", async () => {
      for (const frames of [WHOLE, [frame, frame], [frame, frame], WHOLE]) await router.send([peers[0]!, ...frames]);
      await vi.waitUntil(() => peers.length === 2, DEADLINE);
      await router.send([peers[1]!, ...withChecksums([Buffer.from("anew")])]);
      await vi.waitUntil(() => told.includes("anew"), DEADLINE);
      expect(told).toEqual(["whole", "a message was damaged on its way: 1 frames came", "anew"]);
    });

    test("so that libzmq gives up the connection for good makes the worker connect anew", async () => {
      await router.send([peers[0]!, new Uint8Array(1_000_001)]);
      await vi.waitUntil(() => peers.length === 2, DEADLINE);
      await router.send([peers[1]!, ...WHOLE]);
      await vi.waitUntil(() => told.length > 0, DEADLINE);
      expect(told).toEqual(["whole"]);
    });
  });
});

test("a process ends by itself once all its ends are closed", async () => {
  const script = fileURLToPath(new URL("../../support/transport-exit.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += String(chunk)));
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  expect([code, output]).toEqual([0, "all closed\n"]);
}, 30_000);

test("IPv6 addresses can be listened on and connected to", async () => {
  const coordinator = await listenZmq("tcp://[::1]:*");
  const worker = connectZmq(coordinator.address);
  open.push(coordinator, worker);
  const heard: string[] = [];
  coordinator.start({ ...HANDLERS, onMessage: (_, [frame]) => heard.push(String(frame)) });
  worker.start(HANDLERS);
  worker.send([Buffer.from("six")]);
  await vi.waitFor(() => expect(heard).toEqual(["six"]), DEADLINE);
});
