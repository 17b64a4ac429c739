import { Dealer, Router } from "zeromq";
import { encode } from "../shared/protocol/codec.ts";
import { coordinatorMessages, workerMessages } from "./hot-messages.ts";

/**
 * The floor of an exchange on this machine: the bytes of a step both ways through bare ZeroMQ sockets, in the order of
 * the real thing, with nothing decided and nothing computed.
 *
 * Each worker gets the dense parameters, then an assignment with the convolutions'; it answers with both slices. The
 * coordinator sends the next step's dense parameters once all dense slices are in, the rest once all are.
 */

/** As the real sockets have them: messages of 236 KB leave in one piece. */
const SOCKET_OPTIONS = { sendBufferSize: 1_000_000, receiveBufferSize: 1_000_000, sendTimeout: 0, linger: 500 };

const SAMPLES = 1;
/** Told from the others by its length. */
const STOP = Buffer.alloc(0);

function frames(name: string): Uint8Array[] {
  for (const message of coordinatorMessages(SAMPLES)) {
    if (message.name === name) return encode(message.header, ...message.payload);
  }
  throw new Error(`there is no message ${name}`);
}

/**
 * The coordinator's end: waits for the workers, then exchanges `steps` steps with them and tells them to stop.
 * @param stepDone called after each step
 */
export async function exchangeBytes(
  address: string,
  workers: number,
  steps: number,
  stepDone: (step: number) => void,
): Promise<void> {
  const [dense, assign] = [frames("parameters dense"), frames("assign with conv")];
  const router = new Router({ ...SOCKET_OPTIONS, mandatory: true });
  try {
    await router.bind(address);
    const peers: Buffer[] = [];
    const toAll = async (message: readonly Uint8Array[]): Promise<void> => {
      for (const peer of peers) await router.send([peer, ...message]);
    };
    while (peers.length < workers) {
      const [peer] = await router.receive();
      if (peer !== undefined) peers.push(peer);
    }
    await toAll(dense);
    await toAll(assign);
    for (let step = 1; step <= steps; step++) {
      const missing = { dense: workers, conv: workers };
      while (missing.dense + missing.conv > 0) {
        const [, , payload] = await router.receive();
        const slice = (payload?.byteLength ?? 0) > 100_000 ? "dense" : "conv";
        missing[slice] -= 1;
        if (slice === "dense" && missing.dense === 0) await toAll(dense);
      }
      stepDone(step);
      await toAll(step === steps ? [STOP] : assign);
    }
  } finally {
    router.close();
  }
}

/** A worker's end: answers until it is told to stop. */
export async function answerBytes(address: string): Promise<void> {
  const results = workerMessages().map(({ header, payload }) => encode(header, ...payload));
  const dealer = new Dealer(SOCKET_OPTIONS);
  dealer.connect(address);
  await dealer.send(STOP);
  for await (const [header, ...payload] of dealer) {
    if (header === undefined || header.byteLength === 0) break;
    // The dense parameters come alone, an assignment with its samples and the convolutions' parameters.
    if (payload.length > 1) for (const result of results) await dealer.send(result);
  }
  dealer.close();
}
