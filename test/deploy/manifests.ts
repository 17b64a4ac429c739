import { fileURLToPath } from "node:url";
import type { Job as JobV1 } from "kubernetes-types/batch/v1.d.ts";
import type { Container, PodTemplateSpec } from "kubernetes-types/core/v1.d.ts";
import { type Manifest, render } from "./kustomize.ts";

/** The objects in deploy/kubernetes, as a cluster would get them. */

/** Files that `lockstep keygen` and docs/KUBERNETES.md make, which are nobody's keys here. */
export const SECRETS = {
  "keys/coordinator.key": "the coordinator's secret key\n",
  "keys/coordinator.pub": "the coordinator's public key\n",
  "keys/worker.key": "the workers' secret key\n",
  "keys/workers.allow": "the workers' public key\n",
  "keys/metrics.token": "the token for metrics",
};

export const KUBERNETES = fileURLToPath(new URL("../../deploy/kubernetes/", import.meta.url));

/** What `kubectl apply -k` takes. */
export const FOLDERS = ["base", "gpu", "sweep"] as const;
export type Folder = (typeof FOLDERS)[number];

export const RENDERED = Object.fromEntries(
  FOLDERS.map((folder) => [folder, render(`${KUBERNETES}${folder}`, SECRETS)]),
) as Record<Folder, Manifest[]>;

/** Every object, with a name for tests. */
export const ALL = FOLDERS.flatMap((folder) =>
  RENDERED[folder].map((manifest) => ({
    what: `${folder}: ${manifest.kind} ${manifest.metadata.name}`,
    folder,
    manifest,
  })),
);

/** A Job whose pods are of one container. */
export interface Program {
  readonly what: string;
  readonly folder: Folder;
  readonly job: JobV1;
  readonly pod: PodTemplateSpec & { readonly spec: NonNullable<PodTemplateSpec["spec"]> };
  readonly container: Container;
}

/** Every container that is run, with the Job that runs it. */
export const PROGRAMS: readonly Program[] = ALL.filter(({ manifest }) => manifest.kind === "Job").flatMap(
  ({ what, folder, manifest }) => {
    const job = manifest as unknown as JobV1;
    const pod = job.spec?.template as Program["pod"];
    return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((container) => ({
      ...{ what: `${what}, ${container.name}`, folder, job, pod, container },
    }));
  },
);

/** The only object of a kind and a name. */
export function find(folder: Folder, kind: string, name: string): Manifest {
  const found = RENDERED[folder].filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} times ${kind} ${name} in ${folder}`);
  return found[0]!;
}

/** The container of a component: coordinator, worker or sweep. */
export function programOf(folder: Folder, component: string): Program {
  const found = PROGRAMS.filter(
    (program) => program.folder === folder && labelsOf(program)["app.kubernetes.io/component"] === component,
  );
  if (found.length !== 1) throw new Error(`${found.length} containers of component ${component} in ${folder}`);
  return found[0]!;
}

export function labelsOf({ pod }: Program): Readonly<Record<string, string>> {
  return pod.metadata?.labels ?? {};
}

/** Whether a selector without expressions fits labels. */
export function selects(selector: object | undefined, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value);
}
