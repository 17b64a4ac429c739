import { fileURLToPath } from "node:url";
import type { Bench, Peer } from "../../../src/bench/bench.ts";
import { LineProcess } from "./line-process.ts";

/** It trains some twenty images a second. */
const LARGEST_BATCH = 64;
const NAME = "TensorFlow.js, cpu backend";

export async function startTfjs({ children, quick }: Pick<Bench, "children" | "quick">): Promise<Peer> {
  const file = fileURLToPath(new URL("tfjs-peer.ts", import.meta.url));
  const program = new LineProcess(children, process.execPath, [...process.execArgv, file], process.env);
  const greeting = await program.read();
  const common = { name: NAME, processes: 1, gradients: () => undefined };
  if (greeting === undefined) return { ...common, absent: "not installed", training: () => undefined };
  return {
    ...common,
    version: greeting.replace("ready ", ""),
    training: (batchSize) => {
      if (batchSize > LARGEST_BATCH || quick) return undefined;
      return {
        measure: async () => {
          program.write(`training ${batchSize} 1`);
          return batchSize / Number(await program.read());
        },
      };
    },
  };
}
