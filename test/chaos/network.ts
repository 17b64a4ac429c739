import type { Draws } from "./draws.ts";
import { freePort } from "../support/free-port.ts";
import { MessageProxy } from "./message-proxy.ts";
import { type Cut, type Direction, TcpProxy } from "./tcp-proxy.ts";
import { type Deed, seconds } from "./victims.ts";
import type { Waits } from "./waits.ts";
import { within } from "./within.ts";

type Connection = TcpProxy["connections"][number];

/** Half of the chunks of a busy connection, and thereby about one message in two. */
const DAMAGE = { flip: 0.5, insert: 0.05, delete: 0.05 };
const NO_DAMAGE = { flip: 0, insert: 0, delete: 0 };
const ASTRAY = { drop: 0.1, duplicate: 0.1, delay: 0.1, reorder: 0.1, delayMs: 50 };
const NOT_ASTRAY = { drop: 0, duplicate: 0, delay: 0, reorder: 0 };

const DIRECTIONS: readonly (readonly Direction[])[] = [["to-target"], ["to-client"], ["to-target", "to-client"]];

/** About three messages with a slice of the model or of its gradient. */
const MANY_BYTES = 700_000;
/** A connection that carries fewer bytes than it was to be cut after is left alone. */
const CUT_WAIT_MS = 3_000;
const CLOSE_MS = 10_000;

/** The way between a coordinator and its workers: all through one proxy for bytes, the first before that through one for messages. */
export class Network {
  /** Where the coordinator is to listen, in each of its lives. */
  readonly coordinatorPort: number;
  readonly #tcp: TcpProxy;
  readonly #messages: MessageProxy;
  readonly #waits: Waits;

  private constructor(coordinatorPort: number, tcp: TcpProxy, messages: MessageProxy, waits: Waits) {
    this.coordinatorPort = coordinatorPort;
    this.#tcp = tcp;
    this.#messages = messages;
    this.#waits = waits;
  }

  /** @param waits for how long faults last */
  static async open(seed: number, waits: Waits): Promise<Network> {
    const port = await freePort();
    const tcp = await TcpProxy.listen(port, seed);
    const messages = await MessageProxy.listen(`tcp://127.0.0.1:${tcp.port}`, seed);
    return new Network(port, tcp, messages, waits);
  }

  /** Where the worker in the i-th place is to connect, from 0. */
  addressFor(slot: number): string {
    return slot === 0 ? this.#messages.address : `tcp://127.0.0.1:${this.#tcp.port}`;
  }

  /** Ends one connection or all. */
  cut(how: Cut, draws: Draws): Promise<Deed> {
    const victims = this.#some(draws);
    for (const connection of victims) connection.cut(how);
    return Promise.resolve(connectionsText(victims));
  }

  /** Ends one connection in the middle of what it carries. */
  async cutInMessage(draws: Draws): Promise<Deed> {
    const connection = this.#one(draws);
    if (connection === undefined) return undefined;
    const direction = draws.pick(["to-target", "to-client"] as const);
    const bytes = 1 + draws.below(MANY_BYTES);
    connection.set({ cutAfterBytes: bytes }, direction);
    const wasCut = await Promise.race([
      connection.closed.then(() => true),
      this.#waits.wait(CUT_WAIT_MS).then(() => false),
    ]);
    connection.set({ cutAfterBytes: Infinity }, direction);
    return wasCut ? `after ${bytes} bytes ${direction}` : undefined;
  }

  /** For a while, bytes are changed, added or missing. */
  async flipBytes(draws: Draws): Promise<Deed> {
    const before = this.#harmed();
    const ms = draws.between(300, 2_000);
    await this.#forAWhile(ms, draws.pick(DIRECTIONS), DAMAGE, NO_DAMAGE);
    const harmed = this.#harmed() - before;
    return harmed === 0 ? undefined : `${harmed} chunks in ${seconds(ms)}`;
  }

  /** For a while nothing passes, in one direction or both, and no connection ends. */
  async blackHole(draws: Draws): Promise<Deed> {
    const ms = draws.between(500, 6_000);
    const directions = draws.pick(DIRECTIONS);
    const victims = this.#some(draws);
    for (const connection of victims) connection.set({ blackHole: true }, ...directions);
    await this.#waits.wait(ms);
    for (const connection of victims) connection.set({ blackHole: false }, ...directions);
    const connections = connectionsText(victims);
    return connections && `${connections} ${directions.join(" and ")} for ${seconds(ms)}`;
  }

  /** For a while everything takes longer. */
  async delay(draws: Draws): Promise<Deed> {
    const ms = draws.between(1_000, 4_000);
    const delayMs = Math.round(draws.between(5, 200));
    await this.#forAWhile(ms, draws.pick(DIRECTIONS), { delayMs }, { delayMs: 0 });
    return `${delayMs} ms for ${seconds(ms)}`;
  }

  /** For a while messages are dropped, duplicated, delayed and reordered. */
  async leadAstray(draws: Draws): Promise<Deed> {
    const before = this.#astray();
    const ms = draws.between(1_000, 3_000);
    this.#messages.set(ASTRAY);
    await this.#waits.wait(ms);
    this.#messages.set(NOT_ASTRAY);
    const astray = this.#astray() - before;
    return astray === 0 ? undefined : `${astray} messages in ${seconds(ms)}`;
  }

  /** Everything passes as it is. */
  heal(): void {
    this.#tcp.heal();
    this.#messages.heal();
  }

  async close(): Promise<void> {
    await within(CLOSE_MS, "the end of the proxy for bytes", this.#tcp.close());
    await within(CLOSE_MS, "the end of the proxy for messages", this.#messages.close());
  }

  async #forAWhile(
    ms: number,
    directions: readonly Direction[],
    conditions: Parameters<TcpProxy["set"]>[0],
    healed: Parameters<TcpProxy["set"]>[0],
  ): Promise<void> {
    this.#tcp.set(conditions, ...directions);
    await this.#waits.wait(ms);
    this.#tcp.set(healed, ...directions);
  }

  #one(draws: Draws): Connection | undefined {
    const { connections } = this.#tcp;
    return connections.length === 0 ? undefined : draws.pick(connections);
  }

  #some(draws: Draws): readonly Connection[] {
    const one = this.#one(draws);
    if (draws.uniform() < 0.5) return this.#tcp.connections;
    return one === undefined ? [] : [one];
  }

  #harmed(): number {
    const { flipped, inserted, deleted } = this.#tcp.counts;
    return flipped + inserted + deleted;
  }

  #astray(): number {
    const { dropped, duplicated, delayed, reordered } = this.#messages.counts;
    return dropped + duplicated + delayed + reordered;
  }
}

const connectionsText = ({ length }: readonly Connection[]): Deed =>
  length === 0 ? undefined : length === 1 ? "one connection" : `${length} connections`;
