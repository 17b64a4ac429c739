import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { checkWheels, download } from "../../src/setup-gpu/download.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-download-test-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Stands in for an interpreter: answers which Python it is, and does this when pip is called. */
function python(pip: string): void {
  const file = join(folder, "python");
  writeFileSync(file, `#!/bin/sh\ncase "$*" in *"-m pip"*) ${pip};; *) echo 3;; esac\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PYTHON", file);
}

test("a file with another sum is refused", async () => {
  writeFileSync(join(folder, "tensorflow_cpu-2.18.0-cp311-cp311-x.whl"), "something else");
  await expect(checkWheels("cpu", folder)).rejects.toThrow(
    /tensorflow_cpu-2\.18\.0-cp311-cp311-x\.whl is not the file that was published: its SHA-256 is [0-9a-f]{64}, not 089e71746960/,
  );
});

test("a file that is not there is named", async () => {
  await expect(checkWheels("cuda12", folder)).rejects.toThrow(`there is no wheel of tensorflow==2.18.0 in ${folder}`);
});

test("a Python without pip is told from a pip that fails", async () => {
  python('echo "python: No module named pip" >&2; exit 1');
  await expect(download("cpu", folder, () => {})).rejects.toThrow(/python has no pip: apt-get install python3-pip/);
  python('echo "ERROR: Could not find a version that satisfies it" >&2; exit 1');
  await expect(download("cpu", folder, () => {})).rejects.toThrow(
    /pip could not download tensorflow-cpu==2\.18\.0 \(exit code 1\): ERROR: Could not find/,
  );
});
