import type { DoctorConfig } from "../shared/config.ts";

/** `lockstep doctor`. @returns the exit code */
export function doctorCommand(config: DoctorConfig): Promise<number> {
  void config;
  return Promise.resolve(1);
}
