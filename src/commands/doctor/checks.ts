/** What `lockstep doctor` looks at. Every check leaves the machine as it was. */

import type { CoordinatorHandlers } from "../../shared/transport/transport.ts";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { privateEndpoint } from "../../private-endpoint.ts";
import type { DoctorConfig } from "../../shared/config.ts";
import { type Dataset, loadDataset } from "../../shared/data/dataset.ts";
import { messageOf } from "../../shared/errors.ts";
import { formatCount, formatPlural } from "../../shared/format.ts";
import { kernelFile, loadKernels } from "../../shared/kernel-module.ts";
import { KERNEL_MODULES } from "../../kernel-modules.ts";
import { acceleratorChecks } from "./accelerators.ts";
import { compareEngines } from "./engines.ts";
import type { Check, Finding } from "./finding.ts";

/**
 * All checks of this machine, in an order in which the first problem explains those behind it; what training can do
 * without comes last.
 */
export function machineChecks(config: DoctorConfig): Check[] {
  let dataset: Promise<Dataset> | undefined;
  const loadOnce = (): Promise<Dataset> => (dataset ??= loadDataset(config.data));
  return [
    { name: "Node.js", fix: "npm ci", run: () => checkNode(process.versions.node, requiredNode()) },
    {
      name: "WebAssembly",
      fix: "use a 64-bit x86 (SSE4.1 or later) or ARM machine, and Node.js without --jitless",
      run: checkSimd,
    },
    { name: "kernels", fix: "npm run build", run: checkKernels },
    {
      name: "ZeroMQ",
      fix: "npm rebuild zeromq, or npm ci",
      run: checkZeroMq,
    },
    {
      name: "data",
      fix: config.data === undefined ? "npm ci" : "check --data, or leave it out to train on MNIST",
      run: async () => describeData(await loadOnce()),
    },
    {
      name: "engines",
      fix: "npm run build",
      run: async () => {
        const loaded = await loadOnce().catch(() => undefined);
        if (loaded === undefined) return { status: "problem", found: "not checked: there is no data", fix: "see data" };
        return compareEngines(loaded);
      },
    },
    { name: "machine", run: checkMachine },
    { name: "run folder", fix: "choose another with --run-dir", run: () => checkRunFolder(resolve("runs")) },
    {
      name: "port 5555",
      run: () => checkPort(5555, "lockstep coordinator --listen tcp://127.0.0.1:* takes a free one"),
    },
    {
      name: "port 9464",
      run: () => checkPort(9464, "training takes a free one unless --metrics-port is given"),
    },
    ...acceleratorChecks(),
  ];
}

/** @param required as in package.json: ">=20.19" */
export function checkNode(version: string, required: string): Finding {
  const numbers = (text: string): number[] => text.replace(/^>=/, "").split(".").map(Number);
  const [major = 0, minor = 0] = numbers(version);
  const [requiredMajor = 0, requiredMinor = 0] = numbers(required);
  const enough = major > requiredMajor || (major === requiredMajor && minor >= requiredMinor);
  const found = `${version} (needed: ${required})`;
  if (enough) return { status: "ok", found };
  const wanted = required.replace(/^>=/, "");
  return { status: "problem", found, fix: `install Node.js ${wanted} or later, from https://nodejs.org, then: npm ci` };
}

function requiredNode(): string {
  const manifest = createRequire(import.meta.url)("../../../package.json") as { readonly engines: { node: string } };
  return manifest.engines.node;
}

/** `(func (drop (v128.const 0)))`, the smallest module that needs SIMD. */
const SIMD_MODULE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic and version
  ...[1, 4, 1, 96, 0, 0], // one type: no parameters, no results
  ...[3, 2, 1, 0], // one function of that type
  ...[10, 23, 1, 21, 0, 0xfd, 12, ...Array<number>(16).fill(0), 26, 11], // its body
];

function checkSimd(): Finding {
  // Throws where there is no SIMD.
  new WebAssembly.Module(Uint8Array.from(SIMD_MODULE));
  return { status: "ok", found: `SIMD on ${process.arch}` };
}

function checkKernels(): Finding {
  const sizes = KERNEL_MODULES.map(({ name }) => {
    loadKernels(name);
    return `${name} (${formatCount(statSync(kernelFile(name)).size)} bytes)`;
  });
  return { status: "ok", found: sizes.join(", ") };
}

/** Sends a message there and back through the sockets that training uses. */
async function checkZeroMq(): Promise<Finding> {
  // Loaded here, so that an addon that does not load is a finding; and with require first, since the failed import of a
  // module behind a module rejects once more in Node.js 20, where nobody can catch it.
  createRequire(import.meta.url)("zeromq");
  const { connectZmq } = await import("../../shared/transport/zmq-connection.ts");
  const { listenZmq } = await import("../../shared/transport/zmq-listener.ts");
  const roundTrip = async (address: string): Promise<string> => {
    const server = await listenZmq(address);
    const client = connectZmq(server.address);
    let giveUp: NodeJS.Timeout | undefined;
    try {
      const startedAt = performance.now();
      await new Promise<void>((done, fail) => {
        const onDamaged = (): void => fail(new Error(`a message was damaged on its way over ${address}`));
        const onMessage: CoordinatorHandlers["onMessage"] = (peer, frames) => server.send(peer, frames);
        server.start({ onMessage, onDamaged, onUnreachable: () => {} });
        client.start({ onMessage: () => done(), onDamaged });
        client.send([Buffer.from("there and back")]);
        giveUp = setTimeout(() => fail(new Error(`no round trip over ${address} within 2 s`)), 2_000);
      });
      return `${(performance.now() - startedAt).toFixed(0)} ms`;
    } finally {
      clearTimeout(giveUp);
      await client.close();
      await server.close();
    }
  };
  const overTcp = await roundTrip("tcp://127.0.0.1:*");
  const endpoint = privateEndpoint();
  try {
    if (!endpoint.address.startsWith("ipc:")) {
      return { status: "ok", found: `round trip over tcp in ${overTcp}; there is no place for an ipc socket` };
    }
    const overIpc = await roundTrip(endpoint.address);
    return { status: "ok", found: `connected and round trip: tcp in ${overTcp}, ipc in ${overIpc}` };
  } finally {
    endpoint.remove();
  }
}

function describeData({ name, train, test, digest }: Dataset): Finding {
  const counts = `${formatCount(train.count)} training and ${formatCount(test.count)} test images`;
  return { status: "ok", found: `${name}: ${counts}, checksum ${digest.slice(0, 12)}` };
}

const GIB = 2 ** 30;
/** A coordinator and two workers on MNIST were measured at 0.45 GiB together; with some room. */
const NEEDED_BYTES = 0.6 * GIB;

function checkMachine(): Finding {
  const available = process.availableMemory();
  const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;
  const found = `${formatPlural(availableParallelism(), "core")}, ${gib(available)} of ${gib(totalmem())} memory available`;
  if (available >= NEEDED_BYTES) return { status: "ok", found };
  return { status: "warning", found, fix: "close other programs, or train with --workers 1" };
}

/** As much as a checkpoint takes. */
const PROBE_BYTES = 2 ** 20;

/** Writes a file where runs will be, and removes it. The folder itself need not exist yet. */
export function checkRunFolder(path: string): Finding {
  let folder = path;
  for (;;) {
    try {
      if (statSync(folder).isDirectory()) break;
      return { status: "problem", found: `${folder} is not a folder`, fix: "move it away, or name a --run-dir" };
    } catch (error) {
      if (dirname(folder) === folder) throw error;
      folder = dirname(folder);
    }
  }
  let probe: string | undefined;
  try {
    probe = mkdtempSync(join(folder, ".lockstep-doctor-"));
    writeFileSync(join(probe, "probe"), new Uint8Array(PROBE_BYTES));
    return { status: "ok", found: `${path} can be written` };
  } catch (error) {
    const fix = `make room or get the right to write there (ls -ld ${folder}; df -h ${folder}), or name a --run-dir`;
    return { status: "problem", found: `${path} cannot be written: ${messageOf(error)}`, fix };
  } finally {
    if (probe !== undefined) rmSync(probe, { recursive: true, force: true });
  }
}

/** Whether somebody listens on this port of 127.0.0.1 already. @param otherwise what to do then */
export async function checkPort(port: number, otherwise: string): Promise<Finding> {
  const code = await new Promise<string | undefined>((settle) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => settle(undefined)));
  });
  if (code === undefined) return { status: "ok", found: "free" };
  if (code !== "EADDRINUSE") return { status: "warning", found: `cannot be listened on (${code})`, fix: otherwise };
  const who = process.platform === "linux" ? `ss -ltnp 'sport = :${port}'` : `lsof -nP -iTCP:${port} -sTCP:LISTEN`;
  return { status: "warning", found: "in use", fix: `${otherwise}; who has it: ${who}` };
}
