/**
 * `node dist/engine-self-test.js ENGINE [--gpu-required] [--json]`: whether an engine computes what it should, here.
 * `selfTest` runs it as a process of its own. Exit code 0 when the engine works, 1 when not, 2 for an unknown engine.
 */

import { parseArgs } from "node:util";
import { describeSelfTest, isEngineName } from "./engine-self-test/result.ts";
import { testEngine } from "./engine-self-test/test-engine.ts";
import { TextOutput } from "./shared/text-output.ts";

const { values, positionals } = parseArgs({
  options: { "gpu-required": { type: "boolean", default: false }, json: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [name] = positionals;
if (isEngineName(name)) {
  // Where a GPU is required, what TensorFlow warns of says why there is none.
  if (values["gpu-required"]) process.env.TF_CPP_MIN_LOG_LEVEL ??= "1";
  const result = await testEngine(name, values["gpu-required"]);
  new TextOutput(process.stdout).line(values.json ? JSON.stringify(result) : describeSelfTest(result));
  process.exitCode = result.ok ? 0 : 1;
} else {
  new TextOutput(process.stderr).line(`there is no engine named "${name ?? ""}"`);
  process.exitCode = 2;
}
// Native libraries may keep threads and handles; once stdout has all of it, nothing is left to do.
process.stdout.write("", () => process.exit());
