import { coordinatorHeader, workerHeader } from "../protocol/messages.ts";
import type { Frames } from "../protocol/codec.ts";
import type { MetricRegistry } from "./registry.ts";

interface Count {
  messages: number;
  bytes: number;
}

/** Messages that went one way, by their type. Counting adds to plain numbers. */
export class MessageCounts {
  /** In the order of the protocol; all types from the beginning, so that a first message shows as an increase. */
  readonly byType: ReadonlyMap<string, Readonly<Count>>;
  readonly #byType: Map<string, Count>;

  private constructor(types: readonly string[]) {
    this.#byType = new Map(types.map((type) => [type, { messages: 0, bytes: 0 }]));
    this.byType = this.#byType;
  }

  static ofWorkers(): MessageCounts {
    return new MessageCounts(workerHeader.options.map(({ shape }) => shape.type.value));
  }

  static ofCoordinator(): MessageCounts {
    return new MessageCounts(coordinatorHeader.options.map(({ shape }) => shape.type.value));
  }

  add(type: string, frames: Frames): void {
    const count = this.#byType.get(type);
    if (count === undefined) return;
    count.messages += 1;
    for (const frame of frames) count.bytes += frame.byteLength;
  }
}

/** What one side has sent and received. */
export interface Traffic {
  readonly sent: MessageCounts;
  readonly received: MessageCounts;
}

/** Adds the counters `<prefix>_messages_total` and `<prefix>_message_bytes_total`. */
export function addTraffic(registry: MetricRegistry, prefix: string, { sent, received }: Traffic): void {
  const count = (name: string, help: string, field: keyof Count): void =>
    registry.counters(name, help, ["direction", "type"], (set) => {
      for (const [direction, counts] of Object.entries({ sent, received })) {
        for (const [type, each] of counts.byType) set({ direction, type }, each[field]);
      }
    });
  count(`${prefix}_messages_total`, "Messages of the protocol, by direction and type.", "messages");
  count(
    `${prefix}_message_bytes_total`,
    "Bytes of these messages, headers and numbers; where threads share memory, numbers count as if they had been sent.",
    "bytes",
  );
}
