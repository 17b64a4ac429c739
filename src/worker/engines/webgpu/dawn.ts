import { createRequire } from "node:module";
import type * as core from "@tensorflow/tfjs-core";
import { LockstepError, messageOf, systemCode } from "../../../shared/errors.ts";

/**
 * The optional packages that the webgpu engine needs, and as much of their types as it uses: mostly they are not
 * installed. Dawn is the WebGPU of Chromium; the package `webgpu` has it as an addon to Node.js.
 */

export interface Dawn {
  readonly create: (options: readonly string[]) => Gpu;
  /** What a browser has as global names: GPUBuffer, GPUBufferUsage and so on. */
  readonly globals: Readonly<Record<string, unknown>>;
}

export interface Gpu {
  /** @returns null where there is no adapter at all. @throws when none has the name that was asked for */
  requestAdapter(options: { readonly powerPreference: "high-performance" }): Promise<Adapter | null>;
}

export interface Adapter {
  readonly info: AdapterInfo;
  readonly limits: AdapterLimits;
  requestDevice(options: { readonly requiredLimits: Partial<AdapterLimits> }): Promise<Device>;
}

export interface AdapterInfo {
  /** The adapter's name in small letters, with dashes for all that is neither letter nor digit. */
  readonly device: string;
  /** The driver and its version. */
  readonly description: string;
  /** Whether it computes on the processor. */
  readonly isFallbackAdapter: boolean;
}

export interface AdapterLimits {
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
}

export interface Device {
  /** Resolves when the device can no longer be used; never rejects. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(type: "uncapturederror", listener: (event: { readonly error: Error }) => void): void;
  destroy(): void;
}

export interface WebGpuPackages {
  readonly tf: typeof core;
  readonly dawn: Dawn;
  /** Version of the package `webgpu`. */
  readonly dawnVersion: string;
  readonly WebGPUBackend: new (device: Device, info: AdapterInfo) => core.KernelBackend;
}

/**
 * @param load stands in for `import` in tests
 * @throws LockstepError ("usage") when a package is missing or does not load: the message says what would help
 */
export async function importWebGpu(
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<WebGpuPackages> {
  try {
    const tf = (await load("@tensorflow/tfjs-core")) as typeof core;
    const dawn = (await load("webgpu")) as Dawn;
    const { WebGPUBackend } = (await load("@tensorflow/tfjs-backend-webgpu")) as WebGpuPackages;
    const manifest = createRequire(import.meta.url)("webgpu/package.json") as { readonly version: string };
    return { tf, dawn, dawnVersion: manifest.version, WebGPUBackend };
  } catch (error) {
    const isMissing = systemCode(error) === "ERR_MODULE_NOT_FOUND";
    const what = isMissing
      ? "the webgpu engine needs two more packages"
      : `the webgpu engine's packages do not load (${messageOf(error).split("\n", 1)[0]})`;
    throw new LockstepError("usage", `${what}: run npm run setup:gpu -- --engine webgpu`, { cause: error });
  }
}

const instances = new Map<string, Gpu>();

/**
 * Makes an instance of Dawn, or gives the one that was made with the same option. None is ever let go: Dawn crashes when an
 * instance is collected as garbage while a device of it is in use. The process can end all the same.
 */
export function instanceOf({ create }: Dawn, option = ""): Gpu {
  const instance = instances.get(option) ?? create(option === "" ? [] : [option]);
  instances.set(option, instance);
  return instance;
}
