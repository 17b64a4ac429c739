/** A libtensorflow in a folder: which files it is made of, and whether it is one that can be used. */

import { closeSync, existsSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../shared/errors.ts";
import { missingSymbols } from "./c-api.ts";
import { readSharedLibrary, type SharedLibrary } from "./elf.ts";

export interface Libtensorflow {
  /** Where its libraries are. */
  readonly folder: string;
  /** File names to link with: one that has the C API, then the framework, without which it does not load. */
  readonly libraries: readonly string[];
  /** Folder with `tensorflow/c/c_api.h`; undefined where no headers came along. */
  readonly headers: string | undefined;
  /** As its files are named, "2.18.0"; undefined where no name tells. */
  readonly version: string | undefined;
  /** Whether it has code for NVIDIA GPUs. */
  readonly hasCuda: boolean;
}

/** Where the libraries are within what a user may name: wheels, official archives, archives for Java, Python's folders. */
const INNER_FOLDERS = [
  "",
  "tensorflow",
  "lib",
  "org/tensorflow/internal/c_api/linux-x86_64",
  "site-packages/tensorflow",
];

/** Python's wheels call the one with the C API libtensorflow_cc, the official archives libtensorflow. */
const C_API_LIBRARY = /^libtensorflow(_cc)?\.so\.2$/;
const FRAMEWORK_LIBRARY = "libtensorflow_framework.so.2";

/** Looks for a libtensorflow in a folder and where it usually is within; undefined when there is none. */
export function findIn(folder: string): Libtensorflow | undefined {
  for (const inner of [...INNER_FOLDERS, ...virtualEnvironmentFolders(folder)]) {
    const found = libtensorflowAt(join(folder, inner));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * @param origin how the user knows it: a path
 * @throws LockstepError ("failed") naming what is wrong: another processor, symbols that are missing
 */
export function checkUsable(library: Libtensorflow, origin: string): void {
  const name = `libtensorflow ${library.version ?? "of unknown version"} in ${origin}`;
  const parts = library.libraries.map((file) => openLibrary(join(library.folder, file)));
  for (const [index, { machine }] of parts.entries()) {
    if (machine !== "x86-64") {
      throw new LockstepError(
        "failed",
        `${name} is for another processor: ${library.libraries[index]} is for ${machine}, this needs x86-64`,
      );
    }
  }
  const missing = missingSymbols(parts.flatMap((part) => part.symbols("TF", "defined")));
  if (missing.length > 0) {
    const names = missing.length > 3 ? `${missing.slice(0, 3).join(", ")}, ...` : missing.join(", ");
    throw new LockstepError(
      "failed",
      `${name} lacks ${missing.length} of the functions that @tensorflow/tfjs-node-gpu calls (${names}); take TensorFlow 2.18, for example with --download`,
    );
  }
}

/** Reads a shared library's tables, without the rest of the file. @throws LockstepError when it is none */
export function openLibrary(path: string): SharedLibrary {
  const fileBytes = statSync(path).size;
  const read = (offset: number, length: number): Buffer => {
    // A damaged table may name any length.
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, fileBytes - offset)));
    const file = openSync(path, "r");
    try {
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset));
    } finally {
      closeSync(file);
    }
  };
  return readSharedLibrary(path, read);
}

/** The folder with `tensorflow/c/c_api.h` for a folder that a user names, or for one with libraries. */
export function headersIn(folder: string): string | undefined {
  return ["", "include", "../include", "tensorflow/include", "../../include"]
    .map((inner) => join(folder, inner))
    .find((each) => existsSync(join(each, "tensorflow", "c", "c_api.h")));
}

/** "2.18.0" out of "libtensorflow.so.2.18.0" or "tensorflow_cpu-2.18.0.dist-info". */
export function versionOf(fileNames: readonly string[]): string | undefined {
  const pattern = /^libtensorflow\w*\.so\.(\d+\.\d+\.\d+)$|^tensorflow[a-z_]*-(\d+\.\d+\.\d+)\S*\.dist-info$/;
  for (const name of fileNames) {
    const match = pattern.exec(name);
    if (match !== null) return match[1] ?? match[2];
  }
  return undefined;
}

function libtensorflowAt(folder: string): Libtensorflow | undefined {
  const names = namesIn(folder);
  const api = names.find((name) => C_API_LIBRARY.test(name));
  if (api === undefined || !names.includes(FRAMEWORK_LIBRARY)) return undefined;
  const sections = [api, FRAMEWORK_LIBRARY].flatMap((name) => [...openLibrary(join(folder, name)).sections]);
  return {
    folder,
    libraries: [api, FRAMEWORK_LIBRARY],
    headers: headersIn(folder),
    version: versionOf([basename(realpathSync(join(folder, api))), ...namesIn(dirname(folder))]),
    hasCuda: sections.includes(".nv_fatbin"),
  };
}

function virtualEnvironmentFolders(folder: string): string[] {
  return namesIn(join(folder, "lib"))
    .filter((name) => /^python3\.\d+$/.test(name))
    .map((name) => join("lib", name, "site-packages", "tensorflow"));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
