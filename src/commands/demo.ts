import { openDemoModel } from "../demo/demo-model.ts";
import { demoPages } from "../demo/demo-pages.ts";
import { newestCheckpoint } from "../predict/newest-checkpoint.ts";
import type { DemoConfig } from "../shared/config.ts";
import { formatPercent } from "../shared/format.ts";
import { httpUrl, PageServer } from "../shared/page-server.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { onSignal } from "../signals.ts";

/** Where the command speaks, and what ends it; `process` and the signals that it gets unless told. */
export interface DemoIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Resolves when the page is to be served no longer. */
  readonly ended: () => Promise<void>;
}

/** Where the page is if nobody says. */
const USUAL_PORT = 8080;

/**
 * `lockstep demo`: serves the page on which one draws a digit, until a signal ends it. @returns the exit code
 *
 * @throws LockstepError `usage` for a checkpoint that cannot be found, `refused` for one that cannot be used, `failed` for
 *   a port in use
 */
export async function demoCommand(config: DemoConfig, io: Partial<DemoIo> = {}): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr, ended = signalled } = io;
  const [output, errors] = [new TextOutput(stdout), new TextOutput(stderr)];
  const { host, port = USUAL_PORT } = config;
  const model = await openDemoModel({ checkpoint: config.checkpoint ?? newestCheckpoint(), data: config.data });
  for (const note of model.notes) errors.line(`lockstep demo: note: ${note}`);
  const server = new PageServer({ pages: demoPages(model), portOption: "--port", hostOption: "--host" });
  const found = await server.listen(host, port, config.port === undefined);
  try {
    if (config.port === undefined && found !== port) {
      errors.line(`lockstep demo: port ${port} is in use, so this is another; --port chooses one`);
    }
    const { checkpoint, step, epoch, testAccuracy } = model.card;
    const accuracy = testAccuracy === null ? "" : `, test accuracy ${formatPercent(testAccuracy)}`;
    errors.line(`Checkpoint ${checkpoint}, after step ${step}, epoch ${epoch}${accuracy}`);
    output.line(`Draw a digit at ${httpUrl(host, found, "/")}`);
    errors.line("Ctrl-C ends it");
    await ended();
  } finally {
    await server.close();
  }
  return 0;
}

async function signalled(): Promise<void> {
  let restore = (): void => {};
  await new Promise<void>((resolve) => {
    restore = onSignal(() => resolve());
  });
  restore();
}
