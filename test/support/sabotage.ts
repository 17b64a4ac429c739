import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { CHILD_MARK } from "../../src/local-workers/child-mark.ts";
import type { RunningCommand } from "./cli.ts";

/** An order that nobody has taken by then never will be. */
const DEADLINE_MS = 30_000;

/**
 * Makes workers of a built command misbehave, be they threads or processes: Node.js runs this before lockstep in each of
 * them. A worker carries out what it finds in `each` as it starts, and later, whoever is first, what comes as `order`.
 */
const preload = (folder: string): string => `
  const { isMainThread } = require("node:worker_threads");
  const { existsSync, readFileSync, renameSync } = require("node:fs");
  if (!isMainThread || process.env.${CHILD_MARK} !== undefined) {
    const [each, order, taken] = ["each.cjs", "order.cjs", "taken.cjs"].map((name) => ${JSON.stringify(folder)} + "/" + name);
    if (existsSync(each)) require(each);
    setInterval(() => {
      try {
        renameSync(order, taken);
      } catch {
        return;
      }
      eval(readFileSync(taken, "utf8"));
    }, 5).unref();
  }
`;

export class Sabotage {
  readonly #folder: string;
  /** For the command whose workers are to misbehave. */
  readonly environment: Readonly<Record<string, string>>;

  /** @param folder for files of its own */
  constructor(folder: string) {
    this.#folder = folder;
    const file = join(folder, "preload.cjs");
    writeFileSync(file, preload(folder));
    this.environment = { NODE_OPTIONS: `--require ${JSON.stringify(file)}` };
  }

  /** Every worker that is started from now on runs this code first. */
  each(code: string): void {
    writeFileSync(join(this.#folder, "each.cjs"), code);
  }

  /** One of the workers runs this code. Settles once it is about to, or once the command has ended. */
  async order(run: RunningCommand, code: string): Promise<void> {
    const [draft, order] = [join(this.#folder, "draft.cjs"), join(this.#folder, "order.cjs")];
    writeFileSync(draft, code);
    renameSync(draft, order);
    const deadline = Date.now() + DEADLINE_MS;
    while (existsSync(order) && !run.hasEnded) {
      if (Date.now() > deadline) expect.fail(`no worker has taken the order ${code}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
