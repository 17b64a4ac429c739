import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * Just enough of ZMTP 3.0 (https://rfc.zeromq.org/spec/23/) to be a peer that libzmq would never be: each byte is the
 * test's. Nothing here waits for answers; what comes is read and thrown away.
 */

/** The flags of a frame. */
const [MORE, LONG, COMMAND] = [1, 2, 4];

/** What both sides begin with: signature, version, mechanism, as-server, filler. */
export function greeting(mechanism = "NULL", version = 3): Buffer {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[8] = 1;
  bytes[9] = 0x7f;
  bytes[10] = version;
  bytes.write(mechanism.slice(0, 20), 12, "latin1");
  return bytes;
}

/** A frame; what it says about its length may be another one than it has. */
export function frame(body: Uint8Array, { more = false, command = false, claims = body.byteLength } = {}): Buffer {
  const isLong = claims > 255;
  const head = Buffer.alloc(isLong ? 9 : 2);
  head[0] = (more ? MORE : 0) | (isLong ? LONG : 0) | (command ? COMMAND : 0);
  if (isLong) head.writeBigUInt64BE(BigInt(claims), 1);
  else head[1] = claims;
  return Buffer.concat([head, body]);
}

/** Parts of one message. */
export function message(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts.map((part, i) => frame(part, { more: i < parts.length - 1 })));
}

/** A command, such as PING, with what follows its name. */
export function command(name: string, body: Uint8Array = new Uint8Array(0)): Buffer {
  return frame(Buffer.concat([Buffer.of(name.length), Buffer.from(name, "latin1"), body]), { command: true });
}

/** The properties that a peer introduces itself with. */
export function ready(
  properties: Readonly<Record<string, string>> = { "Socket-Type": "DEALER", Identity: "" },
): Buffer {
  const parts = Object.entries(properties).map(([name, value]) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([Buffer.of(name.length), Buffer.from(name), length, Buffer.from(value, "latin1")]);
  });
  return command("READY", Buffer.concat(parts));
}

/** A TCP connection to a port on this machine. */
export class RawPeer {
  readonly #socket: Socket;
  /** Whether it has been closed, by either side. */
  isClosed = false;
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
    socket.on("error", () => {});
    socket.resume();
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawPeer(socket);
  }

  /** Connects and introduces itself as libzmq's DEALER would. */
  static async introduced(port: number): Promise<RawPeer> {
    const peer = await RawPeer.connect(port);
    await peer.send(Buffer.concat([greeting(), ready()]));
    return peer;
  }

  /** Resolves when the system has taken the bytes, or the connection is gone. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.isClosed || !this.#socket.writable) return;
    await Promise.race([new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve())), this.closed]);
  }

  /** Cuts the connection without a goodbye. */
  cut(): void {
    this.#socket.destroy();
  }
}
