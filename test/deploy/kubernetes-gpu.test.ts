import { describe, expect, test } from "vitest";
import { programOf } from "./manifests.ts";

/** What the overlay for GPUs makes of the workers. */

describe("a worker with a GPU", () => {
  const { pod, container } = programOf("gpu", "worker");
  const worker = programOf("base", "worker");

  test("has one of its own, and goes where such are", () => {
    expect(container.resources?.requests?.["nvidia.com/gpu"]).toBe("1");
    expect(container.resources?.limits?.["nvidia.com/gpu"]).toBe("1");
    expect(pod.spec.tolerations).toEqual([
      ...(worker.pod.spec.tolerations ?? []),
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
    ]);
  });

  test("may compile for ten minutes before it answers", () => {
    const { startupProbe, livenessProbe } = container;
    for (const probe of [startupProbe, livenessProbe]) {
      expect((probe?.periodSeconds ?? 0) * (probe?.failureThreshold ?? 0)).toBeGreaterThanOrEqual(600);
      expect(probe?.httpGet?.path).toBe("/healthz");
    }
    const cache = container.env?.find(({ name }) => name === "CUDA_CACHE_PATH")?.value;
    expect(container.volumeMounts?.map(({ mountPath }) => mountPath)).toContain(cache);
  });
});
