import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "node:http";
import { loadConfig, strangeVariables } from "../../src/shared/config-sources.ts";
import { COMMAND_OPTIONS, type CommandName } from "../../src/shared/config.ts";
import { MonitoringServer } from "../../src/shared/http.ts";
import { addOptions, parseArguments } from "../../src/shared/options.ts";
import { PROGRAMS, type Program, programOf } from "./manifests.ts";

/** The containers' command lines are ones that lockstep takes, and their probes ask for what it answers. */

/** What the command line of a container means, with the container's environment. */
async function configOf({ container }: Program): Promise<Record<string, unknown>> {
  // Values that the cluster fills in are numbers in these folders.
  const env = Object.fromEntries((container.env ?? []).map(({ name, value = "7" }) => [name, value]));
  expect(strangeVariables(env)).toEqual([]);
  let config: Record<string, unknown> = {};
  const program = new Command("lockstep");
  for (const name of Object.keys(COMMAND_OPTIONS) as CommandName[]) {
    addOptions(program.command(name), name).action((flags: Record<string, unknown>) => {
      config = { command: name, ...loadConfig(name, flags, env) };
    });
  }
  await parseArguments(program, container.args ?? []);
  return config;
}

describe("command lines", () => {
  test.each(PROGRAMS)("are what lockstep takes: $what", async (program) => {
    const config = await configOf(program);
    expect(config.command).toBe(program.container.name);
  });

  test("a wrong one would be found", async () => {
    const program = programOf("base", "worker");
    const args = [...(program.container.args ?? []), "--coordinator-timeout=60"];
    await expect(configOf({ ...program, container: { ...program.container, args } })).rejects.toThrow(
      "--coordinator-timeout",
    );
  });

  test("a coordinator resumes, with keys, and waits for its workers without end", async () => {
    expect(await configOf(programOf("base", "coordinator"))).toMatchObject({
      ...{ resume: true, runDir: "/runs/run", joinTimeoutS: 0 },
      ...{ key: "/keys/coordinator.key", allow: "/keys/workers.allow", insecure: false },
    });
  });

  test("a worker knows its coordinator's key, and outlives it for as long as another node takes", async () => {
    expect(await configOf(programOf("base", "worker"))).toMatchObject({
      ...{ key: "/keys/worker.key", coordinatorKey: "/keys/coordinator.pub" },
      coordinatorTimeoutS: 1800,
    });
  });

  test.each(["base", "gpu"] as const)("a batch has a shard for each worker: %s", async (folder) => {
    const { batchSize, shardSize } = await configOf(programOf(folder, "coordinator"));
    const workers = programOf(folder, "worker").job.spec?.parallelism ?? 0;
    expect(Number(batchSize) / Number(shardSize)).toBeGreaterThanOrEqual(workers);
  });

  test("a worker with a GPU computes on it or not at all", async () => {
    expect(await configOf(programOf("gpu", "worker"))).toMatchObject({ engine: "tensorflow", gpu: 0 });
    expect(await configOf(programOf("gpu", "coordinator"))).toMatchObject({ batchSize: 2048, shardSize: 512 });
  });

  test("a sweep's seeds are its pods' indices", async () => {
    const program = programOf("sweep", "sweep");
    expect(program.container.env?.[0]?.valueFrom?.fieldRef?.fieldPath).toContain("job-completion-index");
    expect(await configOf(program)).toMatchObject({ seed: 7, json: true });
  });

  test.each(PROGRAMS.filter(({ container }) => container.name !== "train"))(
    "metrics are on the container's port and on the pod's address: $what",
    async (program) => {
      const port = program.container.ports?.find(({ name }) => name === "metrics");
      expect(await configOf(program)).toMatchObject({ metricsHost: "0.0.0.0", metricsPort: port?.containerPort });
    },
  );
});

describe("probes", () => {
  let server: MonitoringServer;
  let port: number;

  beforeAll(async () => {
    server = new MonitoringServer({
      ...{ metrics: async () => "", metricsContentType: "text/plain" },
      ...{ status: () => ({}), unready: () => undefined },
    });
    port = await server.listen("0.0.0.0", 0);
  });
  afterAll(() => server.close());

  const probed = PROGRAMS.flatMap(({ what, container: { startupProbe, livenessProbe, readinessProbe } }) =>
    Object.entries({ startupProbe, livenessProbe, readinessProbe }).flatMap(([kind, probe]) =>
      probe === undefined ? [] : [{ what: `${what}: ${kind}`, probe }],
    ),
  );

  test("there are three for each container that has a port", () => {
    const served = PROGRAMS.filter(({ container }) => container.ports !== undefined);
    expect(probed).toHaveLength(3 * served.length);
  });

  test.each(probed)("are answered to the pod's address: $what", async ({ probe }) => {
    expect(probe.httpGet?.port).toBe("metrics");
    expect(await statusOf(probe.httpGet?.path ?? "", "10.244.1.17:9464")).toBe(200);
  });

  test("for another path there is no answer", async () => {
    expect(await statusOf("/health", "10.244.1.17:9464")).toBe(404);
  });

  /** As the kubelet asks: by the pod's address, whose name a server on loopback would refuse. */
  function statusOf(path: string, host: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
  }
});
