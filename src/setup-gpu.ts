/** `npm run setup:gpu`: see src/setup-gpu/arguments.ts for what it is told, and docs/GPU.md. */

import { parseSetupArguments, SETUP_HELP } from "./setup-gpu/arguments.ts";
import { setUp } from "./setup-gpu/setup.ts";
import { LockstepError, SIGNAL_EXIT_CODES } from "./shared/errors.ts";
import { TextOutput } from "./shared/text-output.ts";
import { onSignal } from "./signals.ts";

const stdout = new TextOutput(process.stdout);
const stderr = new TextOutput(process.stderr);

// Ending through `exit` removes temporary folders and ends what was started.
onSignal((signal) => process.exit(SIGNAL_EXIT_CODES[signal]));

async function main(): Promise<number> {
  const request = parseSetupArguments(process.argv.slice(2), process.env);
  if (request === "help") {
    stdout.write(SETUP_HELP);
    return 0;
  }
  const result = await setUp(request, (line) => stderr.line(line));
  if (request.json) stdout.line(JSON.stringify(result));
  return result.ok ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  const isExpected = thrown instanceof LockstepError;
  const text =
    thrown instanceof Error ? (isExpected ? thrown.message : (thrown.stack ?? thrown.message)) : String(thrown);
  stderr.line(isExpected ? `setup:gpu: ${text}` : `setup:gpu: unexpected error: ${text}`);
  process.exitCode = isExpected ? thrown.exitCode : 1;
}
