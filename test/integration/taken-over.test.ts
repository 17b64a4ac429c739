import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { useCli } from "../support/cli.ts";

const cli = useCli();

it("a coordinator whose folder another machine has taken over writes nothing more there, and ends", async () => {
  const run = join(cli.folder(), "run");
  const options = ["--run-dir", run, "--checkpoint-every", "50", "--log-every", "50", "--metrics-port", "0"];
  const command = cli.start(["train", ...options, "--epochs", "50", "--workers", "1"]);
  await command.sees(/Step \[50\/938\]/);
  writeFileSync(join(run, "coordinator.lock"), JSON.stringify({ host: "elsewhere", pid: 17, born: "" }));
  const { code, stderr } = await command.ended();
  expect(code).toBe(1);
  expect(stderr).toContain("was taken over by a coordinator on elsewhere (process 17)");
  const steps = readdirSync(join(run, "checkpoints")).filter((name) => name.endsWith(".tmp"));
  expect(steps).toEqual([]);
  expect(readdirSync(run)).toContain("coordinator.lock");
  expect(readdirSync(run)).not.toContain("result.json");
});
