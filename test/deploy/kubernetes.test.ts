import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JobSpec, PodFailurePolicyRule } from "kubernetes-types/batch/v1.d.ts";
import type { PersistentVolumeClaim, Service } from "kubernetes-types/core/v1.d.ts";
import type { NetworkPolicyIngressRule, NetworkPolicySpec } from "kubernetes-types/networking/v1.d.ts";
import type { IPodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { describe, expect, test } from "vitest";
import { EXIT_CODES, SIGNAL_EXIT_CODES } from "../../src/shared/errors.ts";
import { ALL, find, labelsOf, PROGRAMS, type Program, programOf, RENDERED, selects } from "./manifests.ts";

/** The objects fit each other, lockstep's exit codes, and the Pod Security Standard "restricted". */

const VERSION = (
  JSON.parse(readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8")) as { version: string }
).version;

const coordinator = programOf("base", "coordinator");
const worker = programOf("base", "worker");
const fleet = [coordinator, worker];

const portsOf = ({ container }: Program): (string | undefined)[] => (container.ports ?? []).map(({ name }) => name);
const specOf = (kind: string, name: string): unknown => find("base", kind, name).spec;

describe("every container", () => {
  test.each(PROGRAMS)("is restricted: $what", ({ pod, container }) => {
    expect(pod.spec.securityContext).toMatchObject({
      ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      ...{ allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ["ALL"] },
    });
    for (const field of ["hostNetwork", "hostPID", "hostIPC"] as const) expect(pod.spec[field]).toBeUndefined();
    expect((container.ports ?? []).every(({ hostPort }) => hostPort === undefined)).toBe(true);
    const kinds = (pod.spec.volumes ?? []).flatMap((volume) => Object.keys(volume).filter((field) => field !== "name"));
    expect(["emptyDir", "persistentVolumeClaim", "projected"]).toEqual(expect.arrayContaining(kinds));
  });

  test.each(PROGRAMS)("has no token for the Kubernetes API, and no variables of services: $what", ({ pod }) => {
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
  });

  test.each(PROGRAMS)("gets its secrets as files that others cannot read: $what", ({ pod, container }) => {
    const text = JSON.stringify([container.args, container.command, container.env, container.envFrom]);
    expect(text).not.toMatch(/secretKeyRef|secretRef/);
    const secrets = (pod.spec.volumes ?? []).filter((volume) => JSON.stringify(volume).includes('"secret'));
    for (const { name, projected } of secrets) {
      expect(projected?.defaultMode).toBe(0o440);
      const mounts = (container.volumeMounts ?? []).filter((mount) => mount.name === name);
      expect(mounts.map(({ readOnly, subPath }) => ({ readOnly, subPath }))).toEqual([{ readOnly: true }]);
    }
  });

  test.each(PROGRAMS)("has a limited share of the machine: $what", ({ container }) => {
    for (const amounts of [container.resources?.requests, container.resources?.limits]) {
      expect(Object.keys(amounts ?? {})).toEqual(expect.arrayContaining(["cpu", "memory"]));
    }
  });

  test.each(PROGRAMS)("mounts the volumes that its pod has, and all of them: $what", ({ pod, container }) => {
    const mounted = (container.volumeMounts ?? []).map(({ name }) => name);
    expect(mounted.toSorted()).toEqual((pod.spec.volumes ?? []).map(({ name }) => name).toSorted());
    // A read-only root needs a place for temporary files.
    expect(container.volumeMounts?.map(({ mountPath }) => mountPath)).toContain("/tmp");
  });

  test.each(PROGRAMS)("is of this version, by the image's own entry point: $what", ({ folder, container }) => {
    const name = folder === "gpu" && container.name === "worker" ? "lockstep-gpu" : "lockstep";
    expect(container.image).toBe(`${name}:${VERSION}`);
    expect(container.command).toBeUndefined();
  });
});

describe("namespaces", () => {
  test.each(ALL.filter(({ manifest }) => manifest.kind === "Namespace"))("refuse other pods: $what", ({ manifest }) => {
    expect(manifest.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
  });

  test.each(ALL.filter(({ manifest }) => manifest.kind !== "Namespace"))("hold everything: $what", (each) => {
    const { folder, manifest } = each;
    const namespace = RENDERED[folder].find(({ kind }) => kind === "Namespace");
    expect(manifest.metadata.namespace).toBe(namespace?.metadata.name);
    expect(manifest.metadata.labels).toMatchObject({ "app.kubernetes.io/name": "lockstep" });
  });
});

describe("names of other objects", () => {
  test.each(PROGRAMS)("lead somewhere: $what", ({ folder, pod }) => {
    const { serviceAccountName, volumes = [] } = pod.spec;
    if (serviceAccountName !== undefined) find(folder, "ServiceAccount", serviceAccountName);
    for (const { persistentVolumeClaim, projected } of volumes) {
      if (persistentVolumeClaim) find(folder, "PersistentVolumeClaim", persistentVolumeClaim.claimName);
      for (const { secret } of projected?.sources ?? []) find(folder, "Secret", secret?.name ?? "");
    }
  });

  test.each(PROGRAMS)("options name files that are mounted: $what", ({ folder, pod, container }) => {
    const keys = pod.spec.volumes?.find(({ projected }) => projected !== undefined)?.projected;
    const files = (keys?.sources ?? []).flatMap(({ secret }) =>
      Object.keys(find(folder, "Secret", secret?.name ?? "").data as object),
    );
    const named = (container.args ?? []).flatMap((arg) => /=\/keys\/(.*)$/.exec(arg)?.[1] ?? []);
    expect(named.toSorted()).toEqual(files.toSorted());
  });

  test("the coordinator's secret key is not with the workers, nor theirs with it", () => {
    const keysOf = (name: string): string[] => Object.keys(find("base", "Secret", name).data as object);
    expect(keysOf("lockstep-coordinator-keys")).toEqual(["coordinator.key", "workers.allow"]);
    expect(keysOf("lockstep-worker-keys")).toEqual(["worker.key", "coordinator.pub"]);
  });
});

describe("the service", () => {
  const service = specOf("Service", "lockstep-coordinator") as NonNullable<Service["spec"]>;

  test("leads to the coordinator alone, on the port that it listens on", () => {
    expect(fleet.filter((each) => selects(service.selector, labelsOf(each)))).toEqual([coordinator]);
    const [port, ...others] = service.ports ?? [];
    expect(others).toEqual([]);
    const target = coordinator.container.ports?.find(({ name }) => name === port?.targetPort);
    expect(coordinator.container.args).toContain(`--listen=tcp://0.0.0.0:${target?.containerPort}`);
    expect(worker.container.args).toContain(`--connect=tcp://lockstep-coordinator:${port?.port}`);
  });

  test("also while the coordinator is not ready, since it needs workers to become so", () => {
    expect(service.publishNotReadyAddresses).toBe(true);
  });
});

describe("network policies", () => {
  const policies = RENDERED.base.filter(({ kind }) => kind === "NetworkPolicy");
  const rulesFor = (program: Program, direction: "ingress" | "egress") =>
    policies
      .map(({ spec }) => spec as NetworkPolicySpec)
      .filter(({ podSelector }) => selects(podSelector.matchLabels, labelsOf(program)))
      .flatMap((spec): (NetworkPolicyIngressRule & { to?: object[] })[] => spec[direction] ?? []);
  const ports = (rules: { ports?: { port?: number | string }[] }[]) => rules.flatMap((rule) => rule.ports ?? []);

  test("let nothing through that none of them names", () => {
    expect(specOf("NetworkPolicy", "lockstep-default-deny")).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
  });

  test("let workers to the coordinator, and Prometheus to the metrics", () => {
    const rules = rulesFor(coordinator, "ingress");
    expect(ports(rules).map(({ port }) => port)).toEqual(["workers", "metrics"]);
    const [from] = rules[0]?.from ?? [];
    expect(fleet.filter((each) => selects(from?.podSelector?.matchLabels, labelsOf(each)))).toEqual([worker]);
    expect(from?.namespaceSelector).toBeUndefined();
    // Without both selectors in one item it would be any pod there, or any such pod here.
    expect(rules[1]?.from).toHaveLength(1);
    expect(Object.keys(rules[1]?.from?.[0] ?? {}).toSorted()).toEqual(["namespaceSelector", "podSelector"]);
    expect(ports(rulesFor(worker, "ingress")).map(({ port }) => port)).toEqual(["metrics"]);
  });

  test("let workers out to the coordinator and to DNS, and the coordinator nowhere", () => {
    const rules = rulesFor(worker, "egress");
    expect(ports(rules).map(({ port }) => port)).toEqual(["workers", 53, 53]);
    expect(rules.every(({ to }) => to?.length === 1)).toBe(true);
    expect(rulesFor(coordinator, "egress")).toEqual([]);
  });

  test("name ports that the pods have", () => {
    expect(portsOf(coordinator)).toEqual(["workers", "metrics"]);
    expect(portsOf(worker)).toEqual(["metrics"]);
  });
});

describe("the monitor", () => {
  const { selector, podMetricsEndpoints, jobLabel } = specOf("PodMonitor", "lockstep") as IPodMonitor["spec"];

  test("finds coordinator and workers by a port that they have", () => {
    expect(fleet.every((each) => selects(selector.matchLabels, labelsOf(each)))).toBe(true);
    expect(podMetricsEndpoints.map(({ port }) => port)).toEqual(["metrics"]);
    expect(fleet.every((each) => Object.keys(labelsOf(each)).includes(jobLabel ?? ""))).toBe(true);
  });

  test("shows the token that they ask for", () => {
    const { name = "", key } = podMetricsEndpoints[0]?.authorization?.credentials ?? {};
    expect(Object.keys(find("base", "Secret", name).data as object)).toEqual([key]);
    for (const { container } of fleet) expect(container.args).toContain(`--metrics-token-file=/keys/${key}`);
  });
});

describe("how runs end", () => {
  const codesOf = (spec: JobSpec, action: string): number[] =>
    (spec.podFailurePolicy?.rules ?? [])
      .filter((rule: PodFailurePolicyRule) => rule.action === action)
      .flatMap(({ onExitCodes }) => onExitCodes?.values ?? []);
  const interrupted = Object.values(SIGNAL_EXIT_CODES);
  const { usage, refused, diverged } = EXIT_CODES;

  test.each(PROGRAMS)("no container is started again in its pod: $what", ({ pod }) => {
    expect(pod.spec.restartPolicy).toBe("Never");
  });

  test.each(PROGRAMS)("the loss of a node is nobody's failure, and is looked at first: $what", ({ job }) => {
    expect(job.spec?.podFailurePolicy?.rules[0]).toEqual({
      action: "Ignore",
      onPodConditions: [{ type: "DisruptionTarget", status: "True" }],
    });
  });

  test.each(PROGRAMS)("rules are about the container that there is: $what", ({ job, container }) => {
    const rules = job.spec?.podFailurePolicy?.rules ?? [];
    for (const { onExitCodes } of rules.slice(1)) expect(onExitCodes?.containerName).toBe(container.name);
  });

  test("a coordinator that was interrupted goes on, at most one at a time; what cannot be mended is final", () => {
    const spec = coordinator.job.spec!;
    expect(codesOf(spec, "Ignore")).toEqual(interrupted);
    expect(codesOf(spec, "FailJob")).toEqual([usage, refused, diverged]);
    expect(spec).toMatchObject({ parallelism: 1, completions: 1, podReplacementPolicy: "Failed" });
    const claim = specOf("PersistentVolumeClaim", "lockstep-runs") as NonNullable<PersistentVolumeClaim["spec"]>;
    expect(claim.accessModes).toEqual(["ReadWriteOnce"]);
  });

  test.each([worker, programOf("gpu", "worker")])("a worker never ends the others: $what", ({ job }) => {
    const spec = job.spec!;
    expect(codesOf(spec, "FailJob")).toEqual([]);
    expect(codesOf(spec, "FailIndex")).toEqual([usage, refused]);
    expect(codesOf(spec, "Ignore")).toEqual(interrupted);
    expect(spec.completionMode).toBe("Indexed");
    expect(spec.parallelism).toBe(spec.completions);
    expect(spec.backoffLimitPerIndex).toBeGreaterThan(0);
    expect(spec.backoffLimit).toBeUndefined();
    expect(spec.maxFailedIndexes).toBeUndefined();
  });
});
