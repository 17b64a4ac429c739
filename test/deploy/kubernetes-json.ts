import type { IPodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import type * as batch from "kubernetes-types/batch/v1.d.ts";
import type * as core from "kubernetes-types/core/v1.d.ts";
import type * as networking from "kubernetes-types/networking/v1.d.ts";

/** Every kind of object that deploy/kubernetes has, in the API's own types. A JSON schema is made of it. */
export type KubernetesJson =
  | Of<"v1", "Namespace", core.Namespace>
  | Of<"v1", "Secret", core.Secret>
  | Of<"v1", "Service", core.Service>
  | Of<"v1", "ServiceAccount", core.ServiceAccount>
  | Of<"v1", "PersistentVolumeClaim", core.PersistentVolumeClaim>
  | Of<"batch/v1", "Job", batch.Job>
  | Of<"networking.k8s.io/v1", "NetworkPolicy", networking.NetworkPolicy>
  | IPodMonitor;

/** In the types, what every object must have may be left out. */
type Of<Version extends string, Kind extends string, Type> = Omit<Type, "apiVersion" | "kind" | "metadata"> & {
  apiVersion: Version;
  kind: Kind;
  metadata: core.Namespace["metadata"];
};
