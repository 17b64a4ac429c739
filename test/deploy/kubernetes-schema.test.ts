import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { Job } from "kubernetes-models/batch/v1/Job";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { PersistentVolumeClaim } from "kubernetes-models/v1/PersistentVolumeClaim";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { createGenerator } from "ts-json-schema-generator";
import { beforeAll, describe, expect, test } from "vitest";
import { ALL, find } from "./manifests.ts";

/** Every object is what the Kubernetes API's types allow, and has no field that these do not know. */

/** Compiling the API's types takes seconds. */
const COMPILING_MS = 120_000;

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A second opinion, from the API's OpenAPI description: formats and quantities too, though not unknown fields. */
const MODELS: Readonly<Record<string, new (data: never) => { validate: () => void }>> = {
  ...{ Job, NetworkPolicy, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount },
  PodMonitor,
};

let validate: ValidateFunction;

function errorsOf(json: unknown): unknown[] {
  return validate(json) ? [] : (validate.errors ?? []);
}

beforeAll(() => {
  const schema = createGenerator({
    path: path("kubernetes-json.ts"),
    tsconfig: path("../../tsconfig.json"),
    type: "KubernetesJson",
    additionalProperties: false,
    // Of equal names there are several in the API's groups.
    expose: "none",
    // Descriptions are ten times what else is in it.
    jsDoc: "none",
    skipTypeCheck: true,
  }).createSchema("KubernetesJson");
  validate = new Ajv({ allErrors: true, strict: false }).compile(schema as object);
}, COMPILING_MS);

describe("each object is what the API's types have", () => {
  test.each(ALL)("$what", ({ manifest }) => {
    expect(errorsOf(manifest)).toEqual([]);
  });
});

describe("each object is what the API's description has", () => {
  test.each(ALL)("$what", ({ manifest }) => {
    const Model = MODELS[manifest.kind]!;
    expect(() => new Model(manifest as never).validate()).not.toThrow();
  });
});

// Each is a mistake that a cluster refuses at best, and passes over in silence otherwise.
describe("a mistake is found", () => {
  test.each([
    ["in a name of the Job", "Job", '"backoffLimitPerIndex":', '"backOffLimitPerIndex":'],
    ["in a rule", "Job", '"onPodConditions":', '"onPodCondition":'],
    ["in a pod", "Job", '"restartPolicy":', '"restartpolicy":'],
    ["in a container", "Job", '"livenessProbe":', '"livelinessProbe":'],
    ["deep in a security context", "Job", '"allowPrivilegeEscalation":', '"allowPrivilegeEscalations":'],
    ["deep in a volume", "Job", '"sizeLimit":', '"limit":'],
    ["in a type", "Job", '"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":"true"'],
    ["in an argument", "Job", '"--metrics-port=9465"', "9465"],
    ["in a port of the policy", "NetworkPolicy", '"protocol":', '"proto":'],
    ["in the monitor", "PodMonitor", '"authorization":', '"authorisation":'],
    ["in a reference to a secret", "PodMonitor", '"key":', '"field":'],
    ["in the kind", "Job", '"kind":"Job"', '"kind":"Jobs"'],
    ["in the version", "Job", '"apiVersion":"batch/v1"', '"apiVersion":"batch/v1beta1"'],
  ])("%s", (_where, kind, right, wrong) => {
    const name = { Job: "lockstep-worker", NetworkPolicy: "lockstep-worker" }[kind] ?? "lockstep";
    const text = JSON.stringify(find("base", kind, name));
    expect(text).toContain(right);
    expect(errorsOf(JSON.parse(text.replace(right, wrong)))).not.toEqual([]);
  });

  test("in a quantity, by the API's description", () => {
    const text = JSON.stringify(find("base", "Job", "lockstep-worker"));
    const wrong = JSON.parse(text.replace('"512Mi"', '"512 MB"')) as never;
    expect(() => new Job(wrong).validate()).toThrow("memory");
  });
});
