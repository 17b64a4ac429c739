import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningCommand } from "../support/cli.ts";
import { attack, type Endured } from "./attacked-run.ts";

/** Connections that are still to be closed, and files of the run itself. */
const FILES_MORE = 5;
const MEGABYTES_MORE = 400;

/**
 * A coordinator and two workers, of what was built last, whose port is attacked for a while.
 * @throws Error when one of them ends as it should not, or when connections or memory are not given back
 */
export async function attackedFleet(seed: number, forMs: number): Promise<Endured> {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-fuzz-"));
  const commands: RunningCommand[] = [];
  const start = (...args: string[]): RunningCommand => {
    const command = new RunningCommand(args, folder, { TMPDIR: folder, LOCKSTEP_REPORT: "false" });
    commands.push(command);
    return command;
  };
  try {
    const options = ["--epochs", "10000", "--limit-train", "6400", "--metrics-port", "0", "--min-workers", "2"];
    const coordinator = start("coordinator", "--listen", "tcp://127.0.0.1:*", ...options);
    const [address = "", port = ""] = await coordinator.sees(/tcp:\/\/127\.0\.0\.1:(\d+)/);
    for (let i = 0; i < 2; i++) start("worker", "--connect", address);
    await coordinator.sees(/Training on/);
    const endured = await attack(coordinator.pid, Number(port), seed, forMs);
    coordinator.kill("SIGTERM");
    const { code, stderr } = await coordinator.ended();
    if (code !== 143) throw new Error(`the coordinator ended with code ${code}: ${stderr.slice(-2_000)}`);
    if (endured.filesAfter > endured.filesBefore + FILES_MORE) throw new Error("connections are left open");
    if (endured.megabytesAtMost > endured.megabytesBefore + MEGABYTES_MORE) throw new Error("it takes too much memory");
    return endured;
  } finally {
    for (const command of commands) if (!command.hasEnded) command.kill("SIGKILL");
    await Promise.all(commands.map((command) => command.ended()));
    rmSync(folder, { recursive: true, force: true });
  }
}
