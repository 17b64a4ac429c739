import { LockstepError } from "../../shared/errors.ts";

/** What nvidia-smi is asked, and how its answer reads. Pure. */

const FIELDS = ["index", "uuid", "name", "driver_version", "memory.total", "compute_cap", "mig.mode.current"];
const OLD_FIELDS = FIELDS.filter((field) => field !== "compute_cap");

const FORMAT = "--format=csv,noheader,nounits";

/**
 * Arguments after which `parseNvidiaSmi` understands the answer, to be tried in this order: drivers before 510 refuse a
 * query that names what they do not know.
 */
export const NVIDIA_SMI_QUERIES: readonly (readonly string[])[] = [
  [`--query-gpu=${FIELDS.join()}`, FORMAT],
  [`--query-gpu=${OLD_FIELDS.join()}`, FORMAT],
];

/** Whether this is how nvidia-smi refuses a field. */
export function isUnknownField(output: string): boolean {
  return /is not a valid field to query/i.test(output);
}

/** A GPU as nvidia-smi numbers it. */
export interface PhysicalGpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly driver?: string;
  readonly memoryMiB?: number;
  readonly computeCapability?: string;
  /** Whether it is cut into instances (Multi-Instance GPU), each of which CUDA takes for a GPU. */
  readonly isCut: boolean;
}

/** What nvidia-smi prints for a value that it does not know: "[N/A]", "[Not Supported]", "[Unknown Error]". */
const UNKNOWN = /^\[.*\]$/;

/**
 * The GPUs in nvidia-smi's answer to one of `NVIDIA_SMI_QUERIES`. One without a UUID cannot be told to CUDA, and is left out.
 * @throws LockstepError "failed" for a line that is no such answer
 */
export function parseNvidiaSmi(answer: string): readonly PhysicalGpu[] {
  const lines = answer.split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.map(parseLine).filter((gpu) => gpu !== undefined);
}

function parseLine(line: string): PhysicalGpu | undefined {
  const values = line.split(",").map((value) => value.trim());
  if (values.length === OLD_FIELDS.length) values.splice(FIELDS.indexOf("compute_cap"), 0, "[N/A]");
  const [index = "", uuid = "", name = "", driver = "", memory = "", capability = "", mig = ""] = values;
  if (UNKNOWN.test(uuid) && values.length === FIELDS.length) return undefined;
  const isUnderstood =
    values.length === FIELDS.length &&
    /^\d+$/.test(index) &&
    /^GPU-[\da-f-]+$/i.test(uuid) &&
    name !== "" &&
    (/^\d+$/.test(memory) || UNKNOWN.test(memory)) &&
    (/^\d+\.\d+$/.test(capability) || UNKNOWN.test(capability)) &&
    (/^(Enabled|Disabled)$/.test(mig) || UNKNOWN.test(mig));
  if (!isUnderstood) {
    const found = line.length > 200 ? `${line.slice(0, 200)}...` : line;
    throw new LockstepError("failed", `nvidia-smi printed "${found}", expected: ${FIELDS.join(", ")}`);
  }
  return {
    ...{ index: Number(index), uuid, name },
    ...(driver === "" || UNKNOWN.test(driver) ? {} : { driver }),
    ...(UNKNOWN.test(memory) ? {} : { memoryMiB: Number(memory) }),
    ...(UNKNOWN.test(capability) ? {} : { computeCapability: capability }),
    isCut: mig === "Enabled",
  };
}
