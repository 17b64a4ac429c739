import { runBench } from "../bench/run-bench.ts";
import type { BenchConfig } from "../shared/config.ts";

/** `lockstep bench`. @returns the exit code */
export function benchCommand(config: BenchConfig): Promise<number> {
  return runBench(config);
}
