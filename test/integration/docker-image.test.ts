import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BASE_IMAGE, buildImage, docker, dockerMissing, IMAGE, ROOT } from "../support/docker.ts";
import { DockerFleet } from "../support/docker-fleet.ts";

/** The image that deploy/docker/Dockerfile makes: what is in it, what is not, and with how little it can run. */

const reason = dockerMissing === undefined ? "" : ` (${dockerMissing})`;
const BUILD_LIMIT_MS = 600_000;

/** 103 MB when this was written: packages 99 (with MNIST's 53), lockstep 2, tini 2. */
const MAX_ADDED_BYTES = 115_000_000;

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly peer?: boolean;
}

/** Packages that the lock file puts at the top of node_modules, by whether they are needed to run. */
function lockedPackages(): { needed: string[]; others: string[] } {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const found: { needed: string[]; others: string[] } = { needed: [], others: [] };
  for (const [path, { dev, optional, devOptional, peer }] of Object.entries(lock.packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
    if (name === undefined) continue;
    const isNeeded = ![dev, optional, devOptional, peer].includes(true);
    found[isNeeded ? "needed" : "others"].push(name);
  }
  return found;
}

async function sizeOf(image: string): Promise<number> {
  return Number(await docker(["image", "inspect", "--format", "{{.Size}}", image]));
}

describe.skipIf(dockerMissing !== undefined)(`the image of coordinators and workers${reason}`, () => {
  let fleet: DockerFleet | undefined;

  beforeAll(async () => {
    await buildImage();
    fleet = await DockerFleet.create();
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    await fleet?.remove();
  });

  it("adds no more to its base than it must, and says what it is", async () => {
    expect((await sizeOf(IMAGE)) - (await sizeOf(BASE_IMAGE))).toBeLessThan(MAX_ADDED_BYTES);
    const config = JSON.parse(await docker(["image", "inspect", "--format", "{{json .Config}}", IMAGE])) as {
      User: string;
      Labels: Record<string, string>;
    };
    expect(config.User).toBe("1000:1000");
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.title": "lockstep",
      "org.opencontainers.image.licenses": "MIT",
      "org.opencontainers.image.version": (
        JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }
      ).version,
    });
  });

  it("holds the packages that are needed to run, all of them and no other, and no sources", async () => {
    const shell = await fleet!.shell("ls /app; cd /app/node_modules; ls -d * @*/*");
    const found = new Set((await shell.ended()).output.split(/\s+/));
    const { needed, others } = lockedPackages();
    expect(needed).toContain("zeromq");
    expect(others).toEqual(expect.arrayContaining(["typescript", "vitest", "@tensorflow/tfjs-node-gpu"]));
    expect(needed.filter((name) => !found.has(name))).toEqual([]);
    expect(others.filter((name) => found.has(name))).toEqual([]);
    expect(found.has("dist")).toBe(true);
    expect(found.has("src")).toBe(false);
  });

  it("runs as nobody in particular, who can write to volumes and /tmp alone", async () => {
    const shell = await fleet!.shell(
      "id -u; grep ^Cap /proc/self/status; for f in /app/x /runs/x /keys/x /tmp/x /home/node/x; do touch $f 2>&1 && echo wrote $f || true; done",
    );
    const { output } = await shell.ended();
    expect(output).toMatch(/^1000$/m);
    expect(output.match(/^Cap\w+:\s+(\w+)$/gm)).toHaveLength(5);
    expect(output).not.toMatch(/^Cap\w+:\s+\w*[1-9a-f]/m);
    expect(output.match(/(?<=^wrote ).*$/gm)).toEqual(["/runs/x", "/keys/x", "/tmp/x"]);
    expect(output).toMatch(/cannot touch '\/app\/x': Read-only file system/);
  });

  it("can train, says the doctor there", async () => {
    const doctor = await fleet!.start(["doctor"]);
    const { code, output } = await doctor.ended();
    expect(output).toMatch(/^ok +run folder/m);
    expect(code, output).toBe(0);
  });

  it("keeps secrets to their owner", async () => {
    const shell = await fleet!.shell("stat -c '%a %u %n' /keys/*.key /keys/*.pub");
    const { output } = await shell.ended();
    expect(output).toMatch(/^600 1000 \/keys\/coordinator\.key\n600 1000 \/keys\/worker\.key\n644 1000 /m);
  });

  it("is healthy as long as lockstep answers, on whichever port it was told to", async () => {
    const check = "/app/healthcheck";
    const coordinator = await fleet!.coordinator();
    const [byFlag, byVariable] = await Promise.all([
      fleet!.worker(["--metrics-port", "9777"]),
      fleet!.worker([], { environment: { LOCKSTEP_METRICS_PORT: "9778" } }),
    ]);
    await Promise.all([byFlag.sees(/welcomed as/), byVariable.sees(/welcomed as/)]);
    for (const member of [coordinator, byFlag, byVariable]) expect(await member.exec(check)).toMatchObject({ code: 0 });
    const other = await fleet!.shell("sleep 60");
    expect(await other.exec(check)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/9464\/healthz: connect ECONNREFUSED/),
    });
  });

  it("listens to other machines with keys alone", async () => {
    const open = await fleet!.start(["coordinator", "--listen", "tcp://0.0.0.0:5555", "--run-dir", "/runs/open"]);
    const { code, output } = await open.ended();
    expect(code).toBe(2);
    expect(output).toMatch(/--listen tcp:\/\/0\.0\.0\.0:5555 .*--key.*--allow/);
  });
});
