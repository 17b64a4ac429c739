import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { childrenOf, type RunningCommand, useCli } from "../support/cli.ts";

/** Secrets come from files, and stay there: nothing that a run says or leaves has them. */

const cli = useCli({});
const TOKEN = "a-token-that-must-not-get-out-3141592653";

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

/** What other users of the machine can see of a process, and what a dump of its surroundings has. */
function surroundings(pid: number): string {
  return ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "latin1")).join("\n");
}

test("no log, report, recording, checkpoint, command line or environment has a token or a secret key", async () => {
  const folder = cli.folder();
  const made = await cli.run(["keygen"]);
  expect(made.code, made.stderr).toBe(0);
  writeFileSync(join(folder, "token"), `${TOKEN}\n`, { mode: 0o600 });
  const keyFiles = readdirSync(join(folder, "keys")).filter((name) => name.endsWith(".key"));
  const secretKeys = keyFiles.map((name) => /[0-9a-f]{64}/.exec(readFileSync(join(folder, "keys", name), "utf8"))![0]);
  expect(secretKeys).toHaveLength(2);
  const secrets = [TOKEN, Buffer.from(TOKEN).toString("base64"), ...secretKeys, ...secretKeys.map(bytesOfHex)];

  const monitoring = ["--metrics-port", "0", "--metrics-token-file", "token", "--log-format", "json"];
  const coordinator = cli.start([
    ...[
      "coordinator",
      "--listen",
      "tcp://127.0.0.1:*",
      "--key",
      "keys/coordinator.key",
      "--allow",
      "keys/workers.allow",
    ],
    ...["--epochs", "1", "--limit-train", "640", "--run-dir", "run", "--record-events", "run-events.ndjson"],
    ...["--trace", "run-trace.json", "--json", ...monitoring],
  ]);
  const [, address = ""] = await coordinator.sees(/(tcp:\/\/127\.0\.0\.1:\d+)/);
  const [, url = ""] = await coordinator.sees(/(http:\/\/127\.0\.0\.1:\d+)\/metrics/);
  const keys = ["--key", "keys/worker.key", "--coordinator-key", "keys/coordinator.pub"];
  const worker = cli.start(["worker", "--connect", address, ...keys, ...monitoring]);
  await worker.sees(/welcomed/);
  // Who asks wrongly is told nothing, and right or wrong, it is not logged.
  const shown = async (headers: Record<string, string>): Promise<string> => {
    const response = await fetch(`${url}/status`, { headers });
    return `${response.status} ${await response.text()}`;
  };
  const answers = [await shown({}), await shown({ authorization: `Bearer ${TOKEN}` })];
  expect(answers.map((answer) => answer.slice(0, 3))).toEqual(["401", "200"]);
  const commands: readonly RunningCommand[] = [coordinator, worker];
  const pids = (await Promise.all(commands.map(async ({ pid }) => [pid, ...(await childrenOf(pid))]))).flat();
  const seen = pids.map(surroundings);

  const said = await Promise.all(commands.map(async (command) => command.ended()));
  expect(said.map(({ code }) => code)).toEqual([0, 0]);
  const left = filesBelow(folder).filter((path) => !path.startsWith(join(folder, "keys")) && !path.endsWith("/token"));
  expect(left.map((path) => path.slice(folder.length + 1))).toEqual(
    expect.arrayContaining([
      "run/config.json",
      "run/log.ndjson",
      "run/report.html",
      "run/result.json",
      "run-events.ndjson",
    ]),
  );
  const everything = [
    ...seen.map((text) => ["a process", text]),
    ...answers.map((text) => ["an answer", text]),
    ...said.flatMap(({ stdout, stderr }) => [
      ["stdout", stdout],
      ["stderr", stderr],
    ]),
    ...left.map((path) => [path, readFileSync(path, "latin1")]),
  ] as const;
  for (const [where, text] of everything) {
    for (const secret of secrets) expect(text?.includes(secret), `${where} has a secret`).toBe(false);
  }
});

const bytesOfHex = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");
