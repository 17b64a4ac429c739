/** The command line of `npm run setup:gpu`. */

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { type Flavour, FLAVOURS } from "./wheels.ts";

export interface SetupRequest {
  readonly engine: "tensorflow" | "webgpu";
  /** Report what is set up and test it, change nothing. */
  readonly check: boolean;
  /** Where libtensorflow comes from; undefined: look for one. */
  readonly libtensorflow: string | undefined;
  readonly download: Flavour | undefined;
  /** Keep the downloaded files in this folder and do nothing else. */
  readonly downloadOnly: string | undefined;
  readonly headers: string | undefined;
  readonly cacheFolder: string;
  readonly compiler: string | undefined;
  /** Undefined: as long as the device may need. */
  readonly selfTestTimeoutMs: number | undefined;
  readonly json: boolean;
}

export const SETUP_HELP = `Usage: npm run setup:gpu -- [options]

Makes the tensorflow engine run: compiles the binding of @tensorflow/tfjs-node-gpu against a libtensorflow, and tests
it. With no option it takes the newest libtensorflow that it finds: in $TF_LIB, an active virtual environment, the
site-packages of python3, the cache, /usr/local.

  --libtensorflow PATH  take this one: an installed or unpacked TensorFlow (a folder), a .whl or a folder with .whl
                        files, a .tar.gz, or a .jar
  --download WHAT       fetch one with Python's pip: cpu (230 MB), or cuda12 (2.4 GB, with CUDA and cuDNN)
  --download-only DIR   with --download: put the files there for another machine, and do nothing else
  --headers PATH        TensorFlow's C headers, a folder or .whl, where the libtensorflow has none (a .jar)
  --cache DIR           where archives are unpacked (default: $XDG_CACHE_HOME or ~/.cache, lockstep/libtensorflow)
  --compiler NAME       C++ compiler (default: $CXX, g++ or clang++)
  --self-test-timeout S seconds that the test may take (default: 60, on a GPU 1800: one newer than the libtensorflow
                        compiles at first)
  --check               only say what is set up, and test it
  --engine NAME         tensorflow (default), or webgpu: installs that engine's packages and tests it
  --json                the result as one JSON object on stdout
  -h, --help            show this help

Examples:
  npm run setup:gpu -- --download cuda12
      NVIDIA GPUs with a driver for CUDA 12
  npm run setup:gpu -- --download cuda12 --download-only wheels
  npm run setup:gpu -- --libtensorflow wheels
      the same for a machine without internet: carry the folder there in between
  npm run setup:gpu -- --libtensorflow .venv/lib/python3.11/site-packages/tensorflow
      a TensorFlow that pip has installed

docs/GPU.md has the rest. Exit codes: 0, 1 when it failed, 2 for a mistake in the command line.
`;

const OPTIONS = {
  libtensorflow: { type: "string" },
  download: { type: "string" },
  "download-only": { type: "string" },
  headers: { type: "string" },
  cache: { type: "string" },
  compiler: { type: "string" },
  "self-test-timeout": { type: "string" },
  check: { type: "boolean", default: false },
  engine: { type: "string", default: "tensorflow" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * @param argv without node and script
 * @returns "help" when that is asked for
 * @throws LockstepError ("usage") for anything that the command line may not say
 */
export function parseSetupArguments(argv: readonly string[], environment: NodeJS.ProcessEnv): SetupRequest | "help" {
  const values = parsed(argv);
  if (values.help) return "help";
  const { libtensorflow, download, headers, engine, check } = values;
  const downloadOnly = values["download-only"];
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw usage(`--${name} is empty`);
  }
  if (libtensorflow !== undefined && download !== undefined) {
    throw usage("--libtensorflow and --download exclude each other");
  }
  if (downloadOnly !== undefined && download === undefined) throw usage("--download-only needs --download");
  if (check && (libtensorflow ?? download ?? headers) !== undefined) {
    throw usage("--check changes nothing and takes no libtensorflow");
  }
  if (engine === "webgpu" && (libtensorflow ?? download ?? headers ?? values.compiler ?? values.cache) !== undefined) {
    throw usage("the webgpu engine takes no libtensorflow, and nothing is compiled for it");
  }
  const seconds = values["self-test-timeout"];
  if (seconds !== undefined && !(Number(seconds) >= 1 && Number(seconds) <= 86_400)) {
    throw usage(`--self-test-timeout is a number of seconds from 1 to 86400, not "${seconds}"`);
  }
  return {
    engine: oneOf("--engine", engine, ["tensorflow", "webgpu"]),
    check,
    libtensorflow: absolute(libtensorflow),
    download: download === undefined ? undefined : oneOf("--download", download, FLAVOURS),
    downloadOnly: absolute(downloadOnly),
    headers: absolute(headers),
    cacheFolder: absolute(values.cache) ?? defaultCache(environment),
    compiler: values.compiler,
    selfTestTimeoutMs: seconds === undefined ? undefined : Number(seconds) * 1000,
    json: values.json,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (error) {
    // "Unknown option '--foo'. To specify a positional argument starting with a '-', ..."
    const [sentence = ""] = messageOf(error).split(/\. |\n/);
    throw usage(sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, ""));
  }
}

function oneOf<const Name extends string>(flag: string, value: string, names: readonly Name[]): Name {
  const name = names.find((each) => each === value);
  if (name === undefined) throw usage(`${flag} is ${names.join(" or ")}, not "${value}"`);
  return name;
}

function usage(sentence: string): LockstepError {
  return new LockstepError("usage", `${sentence}; see npm run setup:gpu -- --help`);
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function defaultCache({ XDG_CACHE_HOME: base }: NodeJS.ProcessEnv): string {
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "lockstep", "libtensorflow");
}
