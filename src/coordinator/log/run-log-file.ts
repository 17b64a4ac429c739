import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import type { TrainingEvent } from "../../shared/events.ts";
import { Log } from "../../shared/log/log.ts";
import { LogFile } from "./log-file.ts";
import { RunLog } from "./run-log.ts";

const NAME = "log.ndjson";

export interface RunLogFileOptions {
  readonly runDir: string;
  /** Somebody has to start the workers. */
  readonly workersByHand: boolean;
  readonly warn: (message: string) => void;
  readonly maxBytes?: number;
}

/** The log in a run's folder, `log.ndjson`: everything but single steps. A resumed run goes on with it. */
export class RunLogFile {
  readonly #file: LogFile;
  readonly #log: RunLog;
  /** Before this process ends with an error that nobody has caught. */
  readonly #atCrash = (thrown: unknown): void => this.#log.fail(thrown);

  constructor({ runDir, workersByHand, ...options }: RunLogFileOptions) {
    this.#file = new LogFile({ path: join(runDir, NAME), ...options });
    this.#log = new RunLog({
      log: new Log({ write: (line) => this.#file.add(line) }),
      ...{ runDir, workersByHand, logEvery: 0, now: () => systemClock.now() },
    });
    process.on("uncaughtExceptionMonitor", this.#atCrash);
  }

  record(event: TrainingEvent): void {
    this.#log.record(event);
  }

  /** Of a run that ends with an error. */
  fail(thrown: unknown): void {
    this.#log.fail(thrown);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    process.off("uncaughtExceptionMonitor", this.#atCrash);
    await this.#file.close();
  }
}
