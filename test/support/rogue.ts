import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Dealer } from "zeromq";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { type SliceName, SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { modelDigest } from "../../src/shared/model/digest.ts";
import { decodeFromCoordinator, encode } from "../../src/shared/protocol/codec.ts";
import {
  type CoordinatorMessage,
  type Hello,
  PROTOCOL_VERSION,
  type WorkerMessage,
} from "../../src/shared/protocol/messages.ts";
import { withChecksums } from "../../src/shared/transport/frame-checksums.ts";
import { NO_TIME } from "./messages.ts";

/** Peers that do not behave: what a port on a network can meet. */

/** A worker that joins as it should and whose conduct from then on is the test's. */
export class RogueWorker {
  readonly #socket = new Dealer({ linger: 0 });
  #session = "";

  static async join(address: string, changes: Partial<Hello> = {}): Promise<RogueWorker> {
    const rogue = new RogueWorker();
    rogue.#socket.connect(address);
    const { digest } = await loadDataset();
    const hello: Hello = {
      ...{ type: "hello", protocol: PROTOCOL_VERSION, incarnation: `rogue-${Math.random()}`, host: "nowhere", pid: 1 },
      ...{ engine: "rogue", device: "none", dataDigest: digest, modelDigest: modelDigest() },
      ...changes,
    };
    await rogue.#send(hello);
    return rogue;
  }

  get session(): string {
    return this.#session;
  }

  /** The next message; a welcome is answered with "ready" and passed on too. */
  async next(): Promise<CoordinatorMessage> {
    const { header } = decodeFromCoordinator((await this.#socket.receive()).slice(0, -1));
    if (header.type === "welcome") {
      this.#session = header.session;
      await this.#send({ type: "ready", session: header.session });
    }
    return header;
  }

  async until<Type extends CoordinatorMessage["type"]>(
    type: Type,
  ): Promise<Extract<CoordinatorMessage, { type: Type }>> {
    for (;;) {
      const message = await this.next();
      if (message.type === type) return message as Extract<CoordinatorMessage, { type: Type }>;
    }
  }

  /** The last frame is taken for the checksums. */
  async sendRaw(...frames: Uint8Array[]): Promise<void> {
    await this.#socket.send(frames);
  }

  /** Answers an assignment with one number everywhere. */
  async answer(task: Extract<CoordinatorMessage, { type: "assign" }>, value: number): Promise<void> {
    for (const slice of SLICE_NAMES) await this.answerSlice(task, slice, value);
  }

  async answerSlice(
    task: Extract<CoordinatorMessage, { type: "assign" }>,
    slice: SliceName,
    value: number,
  ): Promise<void> {
    const { step, session } = task;
    const nodes = task.shards.map(({ index }) => ({ level: 0, index }));
    const sums = nodes.map(() => new Float32Array(SLICES[slice].contributionLength).fill(value));
    await this.#send({ type: "result", session, step, slice, spent: NO_TIME, nodes }, ...sums);
  }

  async #send(message: WorkerMessage, ...payload: readonly Float32Array[]): Promise<void> {
    await this.sendRaw(...withChecksums(encode(message, ...payload)));
  }

  close(): void {
    this.#socket.close();
  }
}

/** Bytes on a TCP connection that are not ZeroMQ at all. Resolves when they are sent; then the connection is cut. */
export async function pourBytes(port: number, bytes: Uint8Array): Promise<void> {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(bytes, resolve));
  socket.destroy();
}
