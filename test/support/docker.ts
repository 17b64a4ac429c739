import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";

/** A real Docker engine for tests, and the image that the repository's Dockerfile makes. */

// Testcontainers would fetch an image of its own that removes what a killed test run leaves behind.
process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const IMAGE = "lockstep-under-test";
/** What deploy/docker builds on. */
export const BASE_IMAGE = "node:20-bookworm-slim";

const BUILD_LIMIT_MS = 600_000;
const QUESTION_LIMIT_MS = 20_000;

/** Why containers cannot be tested here; undefined when they can. */
export const dockerMissing = reasonWhyNot();

function reasonWhyNot(): string | undefined {
  for (const question of [["version"], ["buildx", "version"], ["compose", "version"]]) {
    const { error, status } = spawnSync("docker", question, { timeout: QUESTION_LIMIT_MS, stdio: "ignore" });
    if (error === undefined && status === 0) continue;
    return `needs a Docker engine with Buildx and Compose: docker ${question.join(" ")} fails; on Debian, as root: .ci/start-docker FOLDER`;
  }
  return undefined;
}

/**
 * Runs the `docker` command in the repository's root.
 * @returns what it says on stdout
 * @throws when its exit code is not 0, with what it says on stderr
 */
export async function docker(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, DOCKER_BUILDKIT: "1", ...environment };
  const options = { cwd: ROOT, env, maxBuffer: 64 * 1024 * 1024, timeout: BUILD_LIMIT_MS };
  return (await promisify(execFile)("docker", [...args], options)).stdout;
}

/** Builds the image that is tested. Takes a second when nothing has changed. */
export async function buildImage(): Promise<void> {
  await docker(["build", "--quiet", "--file", "deploy/docker/Dockerfile", "--tag", IMAGE, "."]);
}

type Client = Awaited<ReturnType<typeof getContainerRuntimeClient>>["container"];
/** The engine's own interface, for what testcontainers has no word for. */
export type Engine = Client["dockerode"];

export async function engine(): Promise<Engine> {
  return (await getContainerRuntimeClient()).container.dockerode;
}

/** A container of the image under test with as few rights as the shipped compose file gives it. */
export class HardenedContainer extends GenericContainer {
  constructor() {
    super(IMAGE);
    this.hostConfig.ReadonlyRootfs = true;
    this.withTmpFs({ "/tmp": "" });
    this.withDroppedCapabilities("ALL");
    this.withSecurityOpt("no-new-privileges:true");
    // It publishes none, so that nothing is waited for, where the image's health check would be otherwise.
    this.withWaitStrategy(Wait.forListeningPorts());
  }
}
