import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { childrenOf, gone, resultOf, useCli } from "../support/cli.ts";

/** Runs as users record them, replayed by the built command. */

const cli = useCli();
const RECORDED = ["--limit-train", "4000", "--metrics-port", "0", "--workers", "2", "--record-events", "events.ndjson"];
const replay = ["replay", "--events", "events.ndjson"];

it("decides a run the same again, and finds what was changed in its recording", async () => {
  const run = resultOf(await cli.run(["train", ...RECORDED, "--epochs", "1", "--json"]));
  expect(run.steps).toBe(63);
  const replayed = await cli.run([...replay, "--json"]);
  expect(resultOf(replayed)).toMatchObject({ same: true, steps: 63, outcome: "done", torn: false, difference: null });
  expect(replayed.stderr).toMatch(/^#\d+ \+\d+\.\d ms {2}\S+: result step 62 dense [\d/ ]+$/m);

  const path = join(cli.folder(), "events.ndjson");
  const lines = readFileSync(path, "utf8").split("\n");
  const changed = lines.findIndex((line) => line.includes('"type":"result"'));
  writeFileSync(path, lines.with(changed, lines[changed]!.replace('"step":0', '"step":1')).join("\n"));
  const { code, stdout } = await cli.run([...replay, "--quiet"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    new RegExp(`^Event ${changed} of events.ndjson \\(line ${changed + 1}\\) is decided otherwise`),
  );
});

it("replays what is there of a run that was killed, its workers' deaths included", async () => {
  const options = ["--epochs", "50", "--log-every", "10", "--isolation", "process"];
  const run = cli.start(["train", ...RECORDED, ...options]);
  await run.sees(/Step \[10\/63\]/);
  const workers = await childrenOf(run.pid);
  process.kill(workers[0]!, "SIGKILL");
  await run.sees(/lost worker/);
  // Ticks come all the time: the loss is on the disk a second later, and with it what followed.
  const path = join(cli.folder(), "events.ndjson");
  const deadline = Date.now() + 30_000;
  while (!readFileSync(path, "utf8").includes("ended by SIGKILL") && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  run.kill("SIGKILL");
  for (const pid of [run.pid, ...workers]) await gone(pid);
  const { code, stdout } = await cli.run(replay);
  expect([code, stdout.trimEnd().split("\n").at(-1)]).toEqual([
    0,
    expect.stringMatching(/^Replayed [\d,]+ events and [\d,]+ steps, all decided as recorded; no end is recorded/),
  ]);
  expect(stdout).toMatch(/ended by SIGKILL|process \d+ exited/);
});
