import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../fuzz/flooded-port.ts", import.meta.url));

test("peers that send more than can wait, and cut their connections, do not end the process", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", SCRIPT], { timeout: 60_000 });
  expect(stdout).toBe("alive\n");
});
