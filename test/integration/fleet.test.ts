import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeImages, encodeLabels } from "../../src/shared/data/idx.ts";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import type { Split } from "../../src/shared/data/split.ts";
import { withChecksums } from "../../src/shared/transport/frame-checksums.ts";
import { type RunningCommand, resultOf, useCli } from "../support/cli.ts";
import { pourBytes, RogueWorker } from "../support/rogue.ts";

/** `lockstep coordinator` and `lockstep worker` started by hand, and what can happen to them. */

const cli = useCli();
const SMALL = ["--limit-train", "4000", "--epochs", "2", "--metrics-port", "0", "--json"];

async function coordinator(...options: string[]): Promise<{ command: RunningCommand; address: string; port: number }> {
  const command = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", ...SMALL, ...options]);
  const [, address, port] = await command.sees(/Listening on (tcp:\/\/127\.0\.0\.1:(\d+))/);
  return { command, address: address!, port: Number(port) };
}

const worker = (address: string, ...options: string[]): RunningCommand =>
  cli.start(["worker", "--connect", address, ...options]);

async function undisturbedHash(): Promise<unknown> {
  return resultOf(await cli.run(["train", ...SMALL, "--workers", "1"])).weightsSha256;
}

describe("a fleet started by hand", () => {
  it("trains to the weights of single-node mode, over tcp, with a worker that joins late", async () => {
    const { command, address } = await coordinator("--log-every", "10");
    const first = worker(address);
    await command.sees(/Step \[10\/63\]/);
    const second = worker(address, "--quiet");
    const ended = await command.ended();
    expect(ended.code).toBe(0);
    expect(resultOf(ended)).toMatchObject({ workers: 2, workersLost: 0, weightsSha256: await undisturbedHash() });
    const { code, stderr } = await first.ended();
    expect(code).toBe(0);
    expect(stderr).toMatch(/welcomed as worker-1, run runs\/.*\n.*the run is done/s);
    expect(await second.ended()).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  it("lets a worker leave at SIGTERM, and ends when the others are done", async () => {
    const { command, address } = await coordinator("--log-every", "10", "--epochs", "8");
    const leaver = worker(address);
    worker(address);
    await command.sees(/2 workers ready/);
    leaver.kill("SIGTERM");
    expect((await leaver.ended()).code).toBe(143);
    const ended = await command.ended();
    expect(ended.stderr).toMatch(/Released worker worker-\d: it received SIGTERM/);
    expect(resultOf(ended)).toMatchObject({ workersLost: 0, epochs: 8 });
  });

  it("notices a worker that is killed, with no parent to tell it, and waits for another", async () => {
    const { command, address } = await coordinator("--log-every", "10", "--epochs", "3");
    const victim = worker(address);
    await command.sees(/Step \[10\/63\]/);
    victim.kill("SIGKILL");
    await command.sees(/lost worker worker-1: its connection was lost; \d+ shards? reassigned, 0 workers left/);
    worker(address);
    expect(resultOf(await command.ended())).toMatchObject({ workersLost: 1, epochs: 3 });
  });

  it("refuses a worker with other data and tells both sides", async () => {
    const folder = join(cli.folder(), "other");
    mkdirSync(folder);
    const { train, test } = await loadDataset();
    const few = (split: Split) => ({
      pixels: split.pixels.subarray(0, 100 * 784),
      labels: split.labels.subarray(0, 100),
    });
    for (const [name, split] of [
      ["train", few(train)],
      ["t10k", few(test)],
    ] as const) {
      writeFileSync(join(folder, `${name}-images-idx3-ubyte.gz`), gzipSync(encodeImages(split.pixels)));
      writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), encodeLabels(split.labels));
    }
    const { command, address } = await coordinator();
    const stranger = await worker(address, "--data", folder).ended();
    expect(stranger.code).toBe(4);
    expect(stranger.stderr).toMatch(
      /refuses this worker: the coordinator trains on MNIST .* start the worker with --data/,
    );
    await command.sees(/refused the worker on .*: the coordinator trains on MNIST/);
    worker(address);
    expect((await command.ended()).code).toBe(0);
  });

  it("exits with 3 when nobody comes", async () => {
    const { command } = await coordinator("--join-timeout-s", "1");
    const { code, stderr } = await command.ended();
    expect(code).toBe(3);
    expect(stderr).toMatch(/only 0 of at least 1 workers were ready for 1 s/);
  });

  it("says that its port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    const { code, stderr } = await cli.run([
      "coordinator",
      "--listen",
      `tcp://127.0.0.1:${port}`,
      "--metrics-port",
      "0",
    ]);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lockstep: cannot listen on .*: something else listens there/);
  });
});

describe("an ipc path", () => {
  it("that is somebody's file is left alone", async () => {
    const path = join(cli.folder(), "thesis.txt");
    writeFileSync(path, "precious");
    const { code, stderr } = await cli.run(["coordinator", "--listen", `ipc://${path}`, "--metrics-port", "0"]);
    expect(stderr).toMatch(/there is a file or folder of that name; choose another path/);
    expect(code).toBe(2);
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  it("on which a coordinator listens is not taken over; one that was left behind is", async () => {
    const listen = ["coordinator", "--listen", `ipc://${join(cli.folder(), "socket")}`, "--metrics-port", "0"];
    const first = cli.start(listen);
    await first.sees(/Listening on ipc:/);
    const second = await cli.run(listen);
    expect(second.stderr).toMatch(/something else listens there/);
    expect(second.code).toBe(1);
    first.kill("SIGKILL");
    await first.ended();
    const third = cli.start([...listen, ...SMALL]);
    await third.sees(/Listening on ipc:/);
    worker(`ipc://${join(cli.folder(), "socket")}`);
    expect((await third.ended()).code).toBe(0);
    expect(existsSync(join(cli.folder(), "socket"))).toBe(false);
  });
});

describe("a worker alone", () => {
  it("gives up when no coordinator is there", async () => {
    const { code, stderr } = await cli.run([
      ...["worker", "--connect", "tcp://127.0.0.1:9", "--coordinator-timeout-s", "1"],
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no coordinator at tcp:\/\/127\.0\.0\.1:9 for 1 s: start one there/);
  });

  it("ends by itself when its coordinator is killed", async () => {
    const { command, address } = await coordinator("--log-every", "10", "--epochs", "50");
    const left = worker(address, "--coordinator-timeout-s", "2");
    await command.sees(/Step \[10\/63\]/);
    command.kill("SIGKILL");
    const { code, stderr } = await left.ended();
    expect(code).toBe(1);
    expect(stderr).toMatch(/no coordinator at .* for 2 s/);
  });
});

describe("what a port can meet", () => {
  it("survives bytes that are not ZeroMQ, and messages that are not the protocol's", async () => {
    const { command, address, port } = await coordinator("--log-every", "10");
    const noise = Array.from({ length: 20 }, (_, i) => randomBytes(1 + i * 997));
    const request = Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await Promise.all([...noise, request].map((bytes) => pourBytes(port, bytes)));
    worker(address);
    await command.sees(/Step \[10\/63\]/);
    const rogue = await RogueWorker.join(address, { protocol: 99 });
    await rogue.until("rejected");
    for (let i = 0; i < 200; i++) {
      const frames = [randomBytes(i), randomBytes(i * 3)];
      await rogue.sendRaw(...(i % 2 === 0 ? frames : withChecksums(frames)));
    }
    await rogue.sendRaw();
    rogue.close();
    const ended = await command.ended();
    expect(ended.code).toBe(0);
    expect(resultOf(ended).weightsSha256).toBe(await undisturbedHash());
  });

  it("computes a gradient that is not finite again, on another worker", async () => {
    const { command, address } = await coordinator("--min-workers", "2", "--log-every", "10");
    const rogue = await RogueWorker.join(address);
    worker(address);
    const task = await rogue.until("assign");
    await rogue.answerSlice(task, "dense", Number.NaN);
    await command.sees(/computed a gradient that is not finite at step 1: computing it again/);
    rogue.close();
    await command.sees(/lost worker/);
    worker(address);
    expect(resultOf(await command.ended()).weightsSha256).toBe(await undisturbedHash());
  });

  it("exits with 5 when the gradient is not finite wherever it is computed, and saves nothing", async () => {
    const { command, address } = await coordinator("--run-dir", "here");
    const rogue = await RogueWorker.join(address);
    await rogue.answer(await rogue.until("assign"), Number.POSITIVE_INFINITY);
    await rogue.answer(await rogue.until("assign"), Number.NaN);
    const { code, stderr } = await command.ended();
    rogue.close();
    expect(code).toBe(5);
    expect(stderr).toMatch(/the gradient of step 1 is not finite .*: the training has diverged; try a smaller --lr/);
  });

  it("does not let a peer write to the terminal, nor fill it", async () => {
    const { command, address } = await coordinator();
    for (let i = 0; i < 30; i++) {
      const rogue = await RogueWorker.join(address, { protocol: 99, host: "h\u001b[31m\nFAKE", incarnation: `r${i}` });
      await rogue.until("rejected");
      rogue.close();
    }
    worker(address, "--quiet");
    const { stderr } = await command.ended();
    expect(stderr).toContain("refused the worker on h [31m FAKE (pid 1)");
    expect(stderr).not.toContain("\u001b");
    expect(stderr.match(/refused the worker/g)).toHaveLength(10);
  });

  it("refuses a worker of another protocol version", async () => {
    const { address } = await coordinator();
    const rogue = await RogueWorker.join(address, { protocol: 99 });
    expect(await rogue.next()).toMatchObject({ type: "rejected", code: "protocol-version" });
    rogue.close();
  });
});
