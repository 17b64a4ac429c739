import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resultOf, useCli } from "../support/cli.ts";

/** A fleet with keys, as its users have it. */

const cli = useCli();
const QUICK = ["--limit-train", "4000", "--epochs", "2", "--metrics-port", "0"];

/** Keys for a fleet, and the options that name them. */
async function keysIn(folder: string) {
  const made = await cli.run(["keygen", "--keys", folder]);
  expect(made.code).toBe(0);
  const path = (name: string): string => join(folder, name);
  return {
    path,
    coordinator: ["--key", path("coordinator.key"), "--allow", path("workers.allow")],
    worker: ["--key", path("worker.key"), "--coordinator-key", path("coordinator.pub")],
  };
}

describe("lockstep keygen", () => {
  it("makes a set, keeps what is there, and adds single pairs", async () => {
    const folder = join(cli.folder(), "keys");
    const { path } = await keysIn(folder);
    const all = ["coordinator.key", "coordinator.pub", "worker.key", "worker.pub", "workers.allow"];
    expect(readdirSync(folder).toSorted()).toEqual(all);
    for (const name of all.filter((each) => each.endsWith(".key")))
      expect(statSync(path(name)).mode & 0o777).toBe(0o600);
    const before = all.map((name) => readFileSync(path(name), "utf8"));
    const again = await cli.run(["keygen", "--keys", folder]);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`kept ${path("worker.key")}`) as string });
    expect(all.map((name) => readFileSync(path(name), "utf8"))).toEqual(before);
    const single = await cli.run(["keygen", "--keys", folder, "--name", "gpu-7"]);
    expect(single.stdout).toContain(`cat ${path("gpu-7.pub")} >> ${path("workers.allow")}`);
    expect(readFileSync(path("gpu-7.pub"), "utf8")).toMatch(/^[\da-f]{64} gpu-7\n$/);
    // Never the secret itself.
    const secret = /secret-key (\w+)/.exec(readFileSync(path("gpu-7.key"), "utf8"))?.[1] ?? "none";
    expect(single.stdout + single.stderr).not.toContain(secret);
    expect(await cli.run(["keygen", "--keys", folder, "--name", "../up"])).toMatchObject({ code: 2 });
  });
});

describe("a fleet with keys", () => {
  it("trains to the weights of a single node; strangers are told, and change nothing", async () => {
    const alone = resultOf(await cli.run(["train", ...QUICK, "--workers", "1", "--json"]));
    const folder = cli.folder();
    const keys = await keysIn(join(folder, "keys"));
    const others = await keysIn(join(folder, "others"));
    const command = cli.start([
      "coordinator",
      "--listen",
      "tcp://0.0.0.0:*",
      ...keys.coordinator,
      ...QUICK,
      "--min-workers",
      "2",
      "--json",
    ]);
    const hint =
      /tcp:\/\/0\.0\.0\.0:(\d+); start workers with: .* --key worker\.key --coordinator-key coordinator\.pub/;
    const [, port] = await command.sees(hint);
    const worker = (...args: readonly string[]) =>
      cli.start(["worker", "--connect", `tcp://127.0.0.1:${port}`, "--coordinator-timeout-s", "5", ...args]);
    const strangers = [
      worker(...others.worker),
      worker(...others.worker.slice(0, 2), "--coordinator-key", keys.path("coordinator.pub")),
      worker(),
    ];
    const ends = await Promise.all(strangers.map((stranger) => stranger.ended()));
    expect(ends.map(({ code }) => code)).toEqual([1, 1, 1]);
    const [wrongKey, unknown, plain] = ends.map(({ stderr }) => stderr);
    expect(wrongKey).toMatch(/for 5 s: whoever listens at .* its key is not the one in --coordinator-key/);
    expect(unknown).toMatch(
      /for 5 s: the coordinator at .* does not know this worker's key: add \w{64} to its --allow list/,
    );
    expect(plain).toMatch(/for 5 s: whoever listens at .* wants keys/);
    const workers = [worker(...keys.worker), worker(...keys.worker)];
    const ended = await command.ended();
    expect(ended.stderr).toMatch(
      /refused a connection: 127\.0\.0\.1 has the key \w{16}\.\.\., which is not in .*workers\.allow/,
    );
    expect(resultOf(ended)).toMatchObject({ weightsSha256: alone["weightsSha256"], workers: 2, workersLost: 0 });
    for (const each of workers) expect((await each.ended()).code).toBe(0);
  });

  it("does not listen to other machines without them", async () => {
    const refused = await cli.run(["coordinator", "--listen", "tcp://0.0.0.0:*", ...QUICK]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/can be reached from other machines/);
    const missing = await cli.run(["coordinator", "--key", "none.key", "--allow", "none", ...QUICK]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/--key none\.key does not exist: lockstep keygen makes keys/);
  });
});
