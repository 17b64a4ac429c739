import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { claimGpu, gpuHolder } from "../../../src/worker/gpus/gpu-claim.ts";

let uuid: string;
const children: ChildProcess[] = [];
const servers: Server[] = [];
beforeEach(() => {
  uuid = `GPU-${randomUUID()}`;
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const server of servers.splice(0)) server.close();
});

/** Another process that claims the GPU, says whether it has it, and then runs `after`. */
async function claimant(after: string): Promise<{ child: ChildProcess; said: string }> {
  const claims = JSON.stringify(new URL("../../../src/worker/gpus/gpu-claim.ts", import.meta.url).href);
  const script = `
    const { claimGpu } = await import(${claims});
    const claim = await claimGpu(${JSON.stringify(uuid)}, "lockstep worker for tcp://h:1");
    process.stdout.write(claim === undefined ? "taken" : "mine");
    ${after}`;
  const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [said] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, said: said.toString() };
}

describe.runIf(process.platform === "linux")("a claim", () => {
  test("belongs to one process, tells who that is, and is gone when it is killed", async () => {
    expect(await gpuHolder(uuid)).toBeUndefined();
    const first = await claimant("setInterval(() => {}, 1_000)");
    expect(first.said).toBe("mine");
    expect(await claimGpu(uuid, "me")).toBeUndefined();
    expect(await gpuHolder(uuid)).toEqual({
      ...{ pid: first.child.pid, what: "lockstep worker for tcp://h:1" },
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/),
    });
    first.child.kill("SIGKILL");
    await once(first.child, "close");
    expect(await gpuHolder(uuid)).toBeUndefined();
    const mine = await claimGpu(uuid, "me");
    expect(mine).toBeDefined();
    expect((await claimant("")).said).toBe("taken");
    mine?.release();
    expect((await claimant("")).said).toBe("mine");
  });

  test("does not keep its process alive", async () => {
    const { child, said } = await claimant("");
    expect(said).toBe("mine");
    await once(child, "close");
    expect(child.exitCode).toBe(0);
  });

  test("whose holder says nothing, or something else, is a claim all the same", async () => {
    const sockets: { destroy(): void }[] = [];
    let words = "";
    const stranger = createServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.write(words);
    });
    servers.push(stranger);
    stranger.listen(`\0lockstep-gpu-${uuid}`);
    await once(stranger, "listening");
    expect(await claimGpu(uuid, "me")).toBeUndefined();
    for (words of ["", "hello\n", `${JSON.stringify({ pid: "x" })}\n`, "x".repeat(1_000_000)]) {
      expect(await gpuHolder(uuid)).toBe("unknown");
    }
    for (const socket of sockets) socket.destroy();
  });
});
