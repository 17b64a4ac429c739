import { writeReport } from "../report/write-report.ts";
import type { ReportConfig } from "../shared/config.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";

/** Where the command speaks; `process` is such a place. */
export interface ReportIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

/**
 * `lockstep report`: makes a run's `report.html` anew. @returns the exit code
 *
 * @throws LockstepError as `writeReport` does
 */
export async function reportCommand({ runDir, data, quiet }: ReportConfig, io: ReportIo = process): Promise<number> {
  const { path, warnings } = await writeReport({ runDir, data });
  const stderr = new TextOutput(io.stderr);
  for (const warning of warnings) stderr.line(`warning: ${warning}`);
  if (!quiet) new TextOutput(io.stdout).line(`Report ${path}`);
  return 0;
}
