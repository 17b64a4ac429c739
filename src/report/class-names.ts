import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { CLASS_COUNT } from "../shared/model/lenet5.ts";

const FILE = "classes.txt";
const MAX_FILE_BYTES = 65_536;
const MAX_NAME_CHARACTERS = 24;

/**
 * What the classes of a data set are called: the ten lines of `classes.txt` in its folder, or else digits.
 *
 * @throws LockstepError `refused` when the file is there and does not name ten classes
 */
export function classNames(folder: string | undefined): readonly string[] {
  if (folder === undefined) return digits();
  const path = join(folder, FILE);
  let text: string;
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > MAX_FILE_BYTES) throw new Error("it is no small text file");
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return digits();
    throw new LockstepError("refused", `cannot read ${path}: ${messageOf(error)}; mend or remove it`, { cause: error });
  }
  const names = text
    .replace(/^\uFEFF/, "")
    .trimEnd()
    .split(/\r?\n/);
  if (names.length === CLASS_COUNT && names.every((name) => name.trim() !== "")) {
    return names.map((name) => shortened(name.trim()));
  }
  throw new LockstepError(
    "refused",
    `${path} has ${names.length} lines; expected ${CLASS_COUNT}, the name of a class in each; mend or remove it`,
  );
}

function digits(): string[] {
  return Array.from({ length: CLASS_COUNT }, (_, digit) => String(digit));
}

/** By code points, so that none is cut in two. */
function shortened(name: string): string {
  const characters = Array.from(name);
  return characters.length <= MAX_NAME_CHARACTERS ? name : `${characters.slice(0, MAX_NAME_CHARACTERS - 1).join("")}…`;
}
