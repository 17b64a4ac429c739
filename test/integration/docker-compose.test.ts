import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, prometheusMissing } from "../grafana/monitoring-stack.ts";
import { resultOf, useCli } from "../support/cli.ts";
import { docker, dockerMissing } from "../support/docker.ts";
import { Compose, type ComposeService, shippedServices } from "../support/docker-compose.ts";

/** deploy/compose.yaml: what it allows, and that it does what docs/DOCKER.md says, with Prometheus watching. */

const missing = dockerMissing ?? prometheusMissing;
const reason = missing === undefined ? "" : ` (${missing})`;
const LIMIT_MS = 600_000;

const cli = useCli();

/** Grafana's image cannot be replaced by a program of this machine. */
const SERVICES = ["keys", "coordinator", "worker", "prometheus", "alertmanager"];
const SMALL = { LOCKSTEP_LIMIT_TRAIN: "8000", LOCKSTEP_SHARD_SIZE: "8" };
/** It ends when the test does. */
const ENDLESS = { ...SMALL, RUN: "endless", LOCKSTEP_EPOCHS: "1000", LOCKSTEP_CHECKPOINT_EVERY: "20" };
const SHORT = { ...SMALL, RUN: "short", LOCKSTEP_EPOCHS: "2", LOCKSTEP_MIN_WORKERS: "3" };

describe.skipIf(missing !== undefined)(`the shipped compose file${reason}`, () => {
  let services: Record<string, ComposeService>;
  let compose: Compose;

  beforeAll(async () => {
    compose = new Compose();
    services = await shippedServices();
  }, LIMIT_MS);

  afterAll(async () => {
    await compose.remove();
  }, LIMIT_MS);

  it("gives no service more than it needs", () => {
    expect(Object.keys(services)).toEqual(expect.arrayContaining([...SERVICES, "grafana", "gpu-0", "gpu-7"]));
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        restart: expect.stringMatching(/^(no|on-failure:10|unless-stopped)$/),
        deploy: {
          resources: { limits: { cpus: expect.any(Number), memory: expect.any(String), pids: expect.any(Number) } },
        },
      });
      // An image that may change under its name is a surprise.
      expect(service.image, name).toMatch(/^(lockstep(-gpu)?|[a-z]+\/[a-z]+:v?\d+\.\d+\.\d+)$/);
    }
  });

  it("opens ports to this machine alone", () => {
    const ports = Object.values(services).flatMap(({ ports: found = [] }) => found);
    expect(new Set(ports.map(({ target }) => target))).toEqual(new Set([3000, 5555, 9090, 9093, 9464]));
    expect(new Set(ports.map(({ host_ip: host }) => host))).toEqual(new Set(["127.0.0.1"]));
  });

  it("shows keys as files alone, the coordinator's to the coordinator alone, and asks for no password", () => {
    const withAllKeys = Object.entries(services).filter(([, { volumes = [] }]) =>
      volumes.some(({ type, source }) => type === "volume" && source === "keys"),
    );
    expect(withAllKeys.map(([name]) => name).sort()).toEqual(["coordinator", "keys"]);
    for (const [name, { environment = {} }] of Object.entries(services)) {
      for (const [key, value] of Object.entries(environment)) {
        if (/KEY|ALLOW|PASS|TOKEN|SECRET/.test(key))
          expect(value, `${name} ${key}`).toMatch(/^\/(worker-)?keys\/[\w.]+$/);
      }
    }
  });

  it("gives each GPU to one worker", () => {
    const gpus = Object.entries(services).filter(([name]) => name.startsWith("gpu-"));
    const devices = gpus.map(([, { deploy }]) =>
      deploy?.resources?.reservations?.devices?.map((each) => each.device_ids),
    );
    expect(devices).toEqual(gpus.map(([name]) => [[name.replace("gpu-", "")]]));
  });

  it(
    "brings up a fleet that Prometheus watches, and whose coordinator comes back by itself",
    async () => {
      await compose.run(["up", "--build", "--detach", "--wait", ...SERVICES], ENDLESS);
      const prometheus = await compose.addressOf("prometheus", 9090);
      const ask = async (path: string): Promise<unknown> =>
        ((await (await fetch(`http://${prometheus}/api/v1/${path}`)).json()) as { data: unknown }).data;
      const query = async (expr: string): Promise<number> => {
        const { result } = (await ask(`query?query=${encodeURIComponent(expr)}`)) as {
          result: { value: [number, string] }[];
        };
        return Number(result[0]?.value[1]);
      };
      await eventually(async () => {
        expect(await query('sum(up{job="lockstep"})')).toBe(1);
        expect(await query('sum(up{job="lockstep-workers"})')).toBe(3);
        expect(await query('lockstep_steps_total{run="endless"}')).toBeGreaterThan(0);
        expect(await query("count(lockstep_worker_samples_total > 0)")).toBe(3);
      });
      expect(JSON.stringify(await ask("rules"))).toMatch(/LockstepCoordinatorDown/);
      expect(JSON.stringify(await ask("alertmanagers"))).toMatch(/alertmanager:9093/);

      const page = await compose.addressOf("coordinator", 9464);
      expect(await (await fetch(`http://${page}/readyz`)).text()).toBe("ready\n");

      const [coordinator] = await compose.containers("coordinator");
      // As the kernel would: `docker kill` counts as a wish that it stay ended.
      const kill = 'for p in /proc/[0-9]*; do grep -qs "^node" $p/comm && kill -9 "${p#/proc/}"; done; true';
      await docker(["exec", coordinator!.Id, "sh", "-c", kill]);
      await eventually(async () => {
        expect(await compose.logs("coordinator")).toMatch(
          /Resuming \/runs\/endless from step \d+[^]*Epoch \[\d+\/1000\] done/,
        );
      });
      expect(await compose.containers("coordinator")).toMatchObject([{ Id: coordinator!.Id, RestartCount: 1 }]);
    },
    LIMIT_MS,
  );

  it(
    "ends as its run does, with the weights of any other run, and keeps it on its volume",
    async () => {
      await compose.run(["down", "--timeout", "30"]);
      await compose.run(["up", "--detach", ...SERVICES], SHORT);
      expect(await compose.ended("coordinator")).toEqual([0]);
      expect(await compose.ended("worker")).toEqual([0, 0, 0]);
      for (const service of ["coordinator", "worker"]) {
        for (const { State, RestartCount } of await compose.containers(service)) {
          expect({ ...State, RestartCount }, service).toMatchObject({ Status: "exited", RestartCount: 0 });
        }
      }
      const files = ["--rm", "--no-deps", "coordinator"];
      const ls = await compose.run(["run", "--entrypoint", "ls", ...files, "/runs"]);
      expect(ls.split("\n")).toEqual(expect.arrayContaining(["endless", "short"]));
      const result = await compose.run(["run", "--entrypoint", "cat", ...files, "/runs/short/result.json"]);
      const options = ["--limit-train", "8000", "--shard-size", "8", "--epochs", "2", "--metrics-port", "0"];
      const alone = resultOf(await cli.run(["train", ...options, "--json"]));
      expect(result).toContain(String(alone.weightsSha256));
    },
    LIMIT_MS,
  );
});
