import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { systemCode } from "../../shared/errors.ts";

/**
 * Claims on GPUs between the processes of one machine: whoever listens on a GPU's address has it, and tells who it is.
 * The address is a name in the kernel, not a file: however a process ends, its claim ends with it, and nothing is left to
 * be cleaned up. Containers with a network of their own do not see each other's claims.
 */

/** Whoever has a GPU. */
const holder = z.object({
  pid: z.int().min(0),
  /** What it is and for whom it works: "lockstep worker for tcp://10.0.0.1:5555". */
  what: z.string().max(500),
  /** When it took the GPU, in ISO 8601. */
  since: z.string().max(50),
});
export type Holder = z.infer<typeof holder>;

export interface Claim {
  release(): void;
}

/** A holder that is busy computing, or is no lockstep at all, is not waited for any longer. */
const ANSWER_MS = 1_000;
const ANSWER_BYTES = 4_096;

/**
 * Takes a GPU. The claim does not keep the process alive.
 * @returns undefined when somebody else has it
 */
export async function claimGpu(uuid: string, what: string): Promise<Claim | undefined> {
  const path = addressOf(uuid);
  if (path === undefined) return { release: () => {} };
  const me: Holder = { pid: process.pid, what, since: new Date().toISOString() };
  const server = createServer((socket) => answer(socket, `${JSON.stringify(me)}\n`));
  server.unref();
  const problem = await listen(server, path);
  if (problem === "EADDRINUSE") return undefined;
  // Where such addresses are forbidden nobody can claim anything, and the GPU is used all the same.
  if (problem === undefined) server.on("error", () => {});
  return { release: () => void server.close() };
}

/** Whoever has the GPU; undefined when nobody has, "unknown" when it does not say. */
export async function gpuHolder(uuid: string): Promise<Holder | "unknown" | undefined> {
  const path = addressOf(uuid);
  if (path === undefined) return undefined;
  const socket = connect(path);
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    await once(socket, "connect", { signal });
  } catch (thrown) {
    socket.on("error", () => {}).destroy();
    return ["ECONNREFUSED", "ENOENT"].includes(systemCode(thrown)) ? undefined : "unknown";
  }
  const text = await read(socket, signal);
  try {
    return holder.parse(JSON.parse(text));
  } catch {
    return "unknown";
  }
}

/** Resolves to the code of the error that forbids it. */
function listen(server: Server, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ path, exclusive: true }, () => resolve(undefined));
  });
}

function answer(socket: Socket, line: string): void {
  socket.unref();
  socket.on("error", () => {});
  socket.end(line, () => socket.destroy());
}

async function read(socket: Socket, signal: AbortSignal): Promise<string> {
  let text = "";
  try {
    socket.setEncoding("utf8");
    const give = (): void => void socket.destroy();
    signal.addEventListener("abort", give);
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.includes("\n") || text.length > ANSWER_BYTES) break;
    }
    signal.removeEventListener("abort", give);
  } catch {
    // What has come by then is all there is.
  }
  return text;
}

/** Undefined where there is no CUDA. */
function addressOf(uuid: string): string | undefined {
  const name = `lockstep-gpu-${uuid}`;
  if (process.platform === "linux") return `\0${name}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name.replaceAll("/", "-")}`;
  return undefined;
}
