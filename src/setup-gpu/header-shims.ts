import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Headers that the binding or TensorFlow's own headers include, and that move from version to version. */
const NAMES = ["ctstring.h", "ctstring_internal.h"];
const PLACES = ["tensorflow/core/platform", "tsl/platform", "xla/tsl/platform", "tensorflow/tsl/platform"];
/** Where the header itself is, rather than one that forwards to it. */
const REAL_FIRST = ["tsl/platform", "xla/tsl/platform", "tensorflow/tsl/platform", "tensorflow/core/platform"];

/**
 * Writes headers into `folder` that forward to where `headers` has them, for each place where it has none.
 * @param headers folder with `tensorflow/c/c_api.h`
 */
export function writeHeaderShims(headers: string, folder: string): void {
  for (const name of NAMES) {
    const real = REAL_FIRST.map((place) => join(headers, place, name)).find((each) => existsSync(each));
    for (const place of PLACES) {
      if (real === undefined || existsSync(join(headers, place, name))) continue;
      const shim = join(folder, place, name);
      mkdirSync(dirname(shim), { recursive: true });
      writeFileSync(shim, `#include "${real}"\n`);
    }
  }
}
