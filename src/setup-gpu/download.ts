/** Fetches wheels with Python's pip, which knows where from: its configuration is the user's. */

import { mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { LockstepError } from "../shared/errors.ts";
import { sha256Of } from "./cache.ts";
import { findPython } from "./python.ts";
import { lastLines, runCommand } from "../workshop/run-command.ts";
import { type Flavour, pipArguments, wheelPrefix, WHEELS } from "./wheels.ts";

/**
 * @param folder where the files go; it is made when it is not there
 * @returns the files with their SHA-256, TensorFlow's first
 * @throws LockstepError ("failed") without Python and pip, when pip fails, or when a file is not the one that is known
 */
export async function download(
  flavour: Flavour,
  folder: string,
  say: (line: string) => void,
): Promise<{ files: string[]; sums: string[] }> {
  const python = await findPython();
  if (python === undefined) {
    throw new LockstepError(
      "failed",
      "--download needs Python 3 with pip: apt-get install python3-pip (Debian, Ubuntu) or dnf install python3-pip (Fedora), or name an interpreter in PYTHON",
    );
  }
  mkdirSync(folder, { recursive: true });
  const count = WHEELS[flavour].length;
  say(`Downloading ${count === 1 ? "a file" : `${count} files`} with ${python} -m pip`);
  const { code, stdout, stderr } = await runCommand(python, pipArguments(flavour, folder));
  if (code !== 0) {
    if (/No module named pip/.test(stderr)) {
      throw new LockstepError(
        "failed",
        `${python} has no pip: apt-get install python3-pip (Debian, Ubuntu) or dnf install python3-pip (Fedora), or name another interpreter in PYTHON`,
      );
    }
    const said = lastLines(stderr === "" ? stdout : stderr, 3);
    throw new LockstepError(
      "failed",
      `pip could not download ${WHEELS[flavour].map(({ requirement }) => requirement).join(", ")} (exit code ${code}): ${said}. ` +
        "Without internet, see docs/GPU.md",
    );
  }
  return checkWheels(flavour, folder);
}

/** Finds the files of a download in a folder, and holds them against the sums that are known. */
export async function checkWheels(flavour: Flavour, folder: string): Promise<{ files: string[]; sums: string[] }> {
  const names = readdirSync(folder);
  const files: string[] = [];
  for (const { requirement, sha256 } of WHEELS[flavour]) {
    const name = names.find((each) => each.startsWith(wheelPrefix(requirement)) && each.endsWith(".whl"));
    if (name === undefined) throw new LockstepError("failed", `there is no wheel of ${requirement} in ${folder}`);
    const file = join(folder, name);
    const found = await sha256Of(file);
    if (found !== sha256) {
      throw new LockstepError(
        "failed",
        `${basename(file)} is not the file that was published: its SHA-256 is ${found}, not ${sha256}; delete it and download again, or ask whoever runs the package mirror`,
      );
    }
    files.push(file);
  }
  return { files, sums: WHEELS[flavour].map(({ sha256 }) => sha256) };
}
