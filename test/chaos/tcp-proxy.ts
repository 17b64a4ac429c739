import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { uniformFrom } from "../support/floats.ts";
import { type LaneConditions, type LaneCounts, TcpLane, UNHARMED } from "./tcp-lane.ts";

export type Direction = "to-target" | "to-client";

/** How a connection ends: "reset" as when a machine is gone (RST), "end" as when a process dies (FIN). */
export type Cut = "reset" | "end";

export interface TcpCounts extends LaneCounts {
  connections: number;
  refused: number;
}

/**
 * A proxy between clients and a tcp port of this machine that harms bytes as it is told, at any time and for one connection
 * or all. What is drawn comes from a seed; where chunks begin depends on the moment, so no two runs are the same.
 */
export class TcpProxy {
  readonly counts: TcpCounts = { connections: 0, refused: 0, flipped: 0, inserted: 0, deleted: 0, cut: 0 };
  /** New connections are reset at once while this is set; the others stay. */
  refuses = false;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #uniform: () => number;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #conditions: Record<Direction, Partial<LaneConditions>> = { "to-target": {}, "to-client": {} };

  private constructor(server: Server, targetPort: number, seed: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.#uniform = uniformFrom(seed);
    server.on("connection", (client) => this.#admit(client));
  }

  /** Listens on a free port of the loopback interface. */
  static async listen(targetPort: number, seed = 1): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, targetPort, seed);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Those that are open, the oldest first. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.#connections];
  }

  /** Changes the conditions of all connections, present and to come. */
  set(changes: Partial<LaneConditions>, ...directions: readonly Direction[]): void {
    const concerned = directions.length === 0 ? DIRECTIONS : directions;
    for (const direction of concerned) Object.assign(this.#conditions[direction], changes);
    for (const connection of this.#connections) connection.set(changes, ...concerned);
  }

  /** From now on all passes as it is, and what was held back. */
  heal(...directions: readonly Direction[]): void {
    this.set(UNHARMED, ...directions);
  }

  /** Ends all connections now. */
  cut(how: Cut): void {
    for (const connection of this.#connections) connection.cut(how);
  }

  /** Ends everything; nothing of it is left once this resolves. */
  async close(): Promise<void> {
    this.refuses = true;
    const closed = once(this.#server, "close");
    this.#server.close();
    const connections = this.connections;
    for (const connection of connections) connection.destroy();
    await Promise.all([closed, ...connections.map((connection) => connection.closed)]);
  }

  #admit(client: Socket): void {
    if (this.refuses) {
      this.counts.refused += 1;
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    this.counts.connections += 1;
    const target = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const connection = new ProxiedConnection(client, target, this.#uniform, this.counts);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    for (const direction of DIRECTIONS) connection.set(this.#conditions[direction], direction);
  }
}

const DIRECTIONS: readonly Direction[] = ["to-target", "to-client"];

/** One client's connection through the proxy. */
class ProxiedConnection {
  /** Resolves when both sockets are closed. */
  readonly closed: Promise<unknown>;
  readonly #sockets: readonly [client: Socket, target: Socket];
  readonly #lanes: Record<Direction, TcpLane>;
  readonly #counts: TcpCounts;

  constructor(client: Socket, target: Socket, uniform: () => number, counts: TcpCounts) {
    this.#counts = counts;
    this.#sockets = [client, target];
    const surroundings = { uniform, counts, cut: () => this.cut("end"), reset: () => this.#close(reset) };
    this.#lanes = {
      "to-target": new TcpLane(client, target, surroundings),
      "to-client": new TcpLane(target, client, surroundings),
    };
    this.closed = Promise.all(this.#sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  set(changes: Partial<LaneConditions>, ...directions: readonly Direction[]): void {
    for (const direction of directions.length === 0 ? DIRECTIONS : directions) this.#lanes[direction].set(changes);
  }

  /** Ends the connection now, in both directions. What still waits here is lost; with "reset" also what is under way. */
  cut(how: Cut): void {
    this.#counts.cut += 1;
    this.#close(how === "reset" ? reset : (socket) => socket.destroySoon());
  }

  destroy(): void {
    this.#close((socket) => socket.destroy());
  }

  #close(end: (socket: Socket) => void): void {
    for (const lane of Object.values(this.#lanes)) lane.close();
    for (const socket of this.#sockets) end(socket);
  }
}

/**
 * Resets a connection that is idle and whole. Any other is only closed: Node.js 20 lets go on in a loop for ever what is
 * reset while it still writes or ends.
 */
function reset(socket: Socket): void {
  const { connecting, destroyed, writableEnded, writableLength } = socket;
  if (connecting || destroyed || writableEnded || writableLength > 0) socket.destroy();
  else socket.resetAndDestroy();
}
