import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BASE_IMAGE, docker, IMAGE } from "./docker.ts";

/** The shipped compose file, under a name and on ports of its own. */

/** What the services are, as far as tests ask. */
export interface ComposeService {
  readonly image: string;
  readonly command: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly volumes?: readonly { readonly type: string; readonly source: string; readonly target: string }[];
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string; readonly target: number }[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly restart?: string;
  readonly deploy?: {
    readonly resources?: {
      readonly limits?: { readonly cpus?: number; readonly memory?: string; readonly pids?: number };
      readonly reservations?: { readonly devices?: readonly { readonly device_ids?: readonly string[] }[] };
    };
  };
}

/** A service's container. */
export interface ComposeContainer {
  readonly Id: string;
  readonly State: { readonly Status: string; readonly ExitCode: number };
  readonly RestartCount: number;
}

/** Ports that the system chooses: others may use the usual ones. */
const FREE_PORTS = Object.fromEntries(
  ["LOCKSTEP_PORT", "LOCKSTEP_PAGE_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT"].map((name) => [
    name,
    "0",
  ]),
);

/** Folders on volumes are root's where the image has none: who has no rights here but the one to write to what is his. */
const standIn = (program: string) => ({
  ...{ image: BASE_IMAGE, entrypoint: [program], user: "0:0" },
  volumes: [`${program}:${program}:ro`],
});

/** In place of images that cannot be pulled, this machine's own programs; and our image under the name that is tested. */
const STAND_INS = {
  services: {
    ...Object.fromEntries(["keys", "coordinator", "worker"].map((service) => [service, { image: IMAGE }])),
    prometheus: standIn("/usr/bin/prometheus"),
    alertmanager: standIn("/usr/bin/prometheus-alertmanager"),
  },
};

export class Compose {
  readonly #project = `lockstep-test-${randomBytes(4).toString("hex")}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "lockstep-compose-test-"));
  readonly #files: readonly string[];

  constructor() {
    const standIns = join(this.#folder, "stand-ins.json");
    writeFileSync(standIns, JSON.stringify(STAND_INS));
    this.#files = ["--file", "deploy/compose.yaml", "--file", standIns];
  }

  /** `docker compose` with these arguments. @returns what it says on stdout */
  run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string> {
    return docker(["compose", "--project-name", this.#project, ...this.#files, ...args], {
      ...FREE_PORTS,
      ...environment,
    });
  }

  /** Where a service's port is on this machine, such as 127.0.0.1:49153. */
  async addressOf(service: string, port: number): Promise<string> {
    return (await this.run(["port", service, String(port)])).trim();
  }

  async logs(service: string): Promise<string> {
    return this.run(["logs", "--no-color", "--no-log-prefix", service]);
  }

  /** The containers of a service, also those that have ended. */
  async containers(service: string): Promise<ComposeContainer[]> {
    const ids = (await this.run(["ps", "--all", "--quiet", service])).trim().split("\n");
    return JSON.parse(await docker(["inspect", ...ids])) as ComposeContainer[];
  }

  /** Waits for the end of all containers of a service. @returns their exit codes */
  async ended(service: string): Promise<number[]> {
    const ids = (await this.containers(service)).map(({ Id }) => Id);
    return (await docker(["wait", ...ids])).trim().split("\n").map(Number);
  }

  /** Ends and removes all of it, with its volumes. */
  async remove(): Promise<void> {
    await this.run(["down", "--volumes", "--timeout", "3"]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The services of the shipped file as Compose understands them, those of all profiles. */
export async function shippedServices(): Promise<Record<string, ComposeService>> {
  const text = await docker([
    "compose",
    "--file",
    "deploy/compose.yaml",
    "--profile",
    "*",
    "config",
    "--format",
    "json",
  ]);
  return (JSON.parse(text) as { services: Record<string, ComposeService> }).services;
}
