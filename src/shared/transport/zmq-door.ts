import { Context, Reply } from "zeromq";
import type { ListenerKeys } from "../keys/endpoint-keys.ts";
import { z85 } from "../keys/z85.ts";

/**
 * Who may connect: CURVE (ZeroMQ RFC 26) encrypts and proves that a peer has the secret of the public key that it shows;
 * whether that key is a welcome one, libzmq asks over ZAP (RFC 27) during each handshake, and this answers.
 */

/** Where libzmq asks, by RFC 27; one handler to a context. */
const ZAP_ADDRESS = "inproc://zeromq.zap.01";
/** How often a list is looked at, besides at each handshake. */
const LOOK_EVERY_MS = 2_000;
const SHOWN_DIGITS = 16;

export interface DoorHandlers {
  /** @param reason a sentence without a subject: why somebody was not let in, or why the list is not what it should be */
  onRefused(reason: string): void;
  /** Keys are in the list no more: who had come in with one must go. */
  onRemoved(): void;
}

/** A context in which every CURVE handshake is checked against a list. */
export class Door {
  readonly context = new Context({ blocky: false });
  readonly #keys: ListenerKeys;
  readonly #zap: Reply;
  readonly #handlers: DoorHandlers;
  readonly #timer: NodeJS.Timeout;

  private constructor(keys: ListenerKeys, handlers: DoorHandlers) {
    this.#keys = keys;
    this.#handlers = handlers;
    this.#zap = new Reply({ context: this.context, linger: 0 });
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  static async open(keys: ListenerKeys, handlers: DoorHandlers): Promise<Door> {
    const door = new Door(keys, handlers);
    await door.#zap.bind(ZAP_ADDRESS);
    void door.#answer();
    return door;
  }

  /** For a socket of this context. Without an answer from here nobody is let in: the domain is enforced. */
  get socketOptions() {
    return {
      context: this.context,
      curveServer: true,
      curveSecretKey: z85(Buffer.from(this.#keys.pair.secretHex, "hex")),
      zapDomain: "lockstep",
      zapEnforceDomain: true,
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#zap.close();
  }

  async #answer(): Promise<void> {
    for await (const [version, request, , address, , mechanism, key] of this.#zap) {
      const refusal = this.#refusal(String(address), String(mechanism), key);
      if (refusal !== undefined) this.#handlers.onRefused(refusal);
      const status = refusal === undefined ? ["200", "OK"] : ["400", "not welcome"];
      if (this.#zap.closed) return;
      await this.#zap.send([version ?? "1.0", request ?? "", ...status, "", ""]).catch(() => {});
    }
  }

  #refusal(address: string, mechanism: string, key: Buffer | undefined): string | undefined {
    this.#look();
    const hex = key?.toString("hex") ?? "";
    if (mechanism === "CURVE" && this.#keys.allow.find(hex) !== undefined) return undefined;
    return `${address} has the key ${hex.slice(0, SHOWN_DIGITS)}..., which is not in ${this.#keys.allow.path}`;
  }

  #look(): void {
    const news = this.#keys.allow.refresh();
    if (news.type === "unreadable") this.#handlers.onRefused(`${news.problem}; what it held before still counts`);
    if (news.type === "changed" && news.removed.length > 0) this.#handlers.onRemoved();
  }
}
