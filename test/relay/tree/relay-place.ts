import { Relay, type RelayEnd } from "../../../src/relay/relay.ts";
import type { Signal } from "../../../src/shared/errors.ts";
import type { MemoryNetwork, MemoryWorkerTransport, Passage } from "../../../src/shared/transport/memory.ts";
import type { CoordinatorTransport } from "../../../src/shared/transport/transport.ts";
import type { Link } from "../../chaos/simulation/worker-process.ts";
import type { FakeClock } from "../../support/fake-clock.ts";

/** How long it waits for whoever is above, and for somebody below. */
const RELAY_TIMEOUT_MS = 20_000;

/** One life of a relay, as a process of its own. */
export class RelayProcess {
  readonly name: string;
  readonly clock: FakeClock;
  readonly end: MemoryWorkerTransport;
  readonly link: Record<Passage["direction"], Link> = { "to-coordinator": "open", "to-worker": "open" };
  /** It was asked to leave. */
  leaving = false;
  readonly #below: CoordinatorTransport;
  readonly #relay: Relay;

  constructor(name: string, clock: FakeClock, above: MemoryNetwork, below: MemoryNetwork, say: (text: string) => void) {
    [this.name, this.clock, this.end, this.#below] = [name, clock, above.connect(), below.listen()];
    this.#relay = new Relay({
      ...{ above: this.end, below: this.#below, address: "memory:", clock },
      ...{ coordinatorTimeoutMs: RELAY_TIMEOUT_MS, joinTimeoutMs: RELAY_TIMEOUT_MS },
      log: ({ event, text }) => say(`${event}: ${text}`),
    });
  }

  run(): Promise<RelayEnd> {
    return this.#relay.run();
  }

  interrupt(signal: Signal): void {
    this.leaving = true;
    this.clock.after(0, () => this.#relay.interrupt(signal));
  }

  /** As SIGKILL does it: from one moment to the next, nothing of it is left. */
  kill(): void {
    this.clock.stop();
    void this.end.close();
    void this.#below.close();
  }
}

/** An address at which a relay listens, as long as one lives there. */
export interface RelayPlace {
  readonly name: string;
  /** The network that it connects to, and that of those below. */
  readonly above: MemoryNetwork;
  readonly below: MemoryNetwork;
  process: RelayProcess | undefined;
}
