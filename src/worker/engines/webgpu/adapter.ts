import { LockstepError, messageOf } from "../../../shared/errors.ts";
import type { EngineOptions } from "../engine.ts";
import type { Adapter, Gpu } from "./dawn.ts";

/** An adapter is a GPU, or a driver that computes on the processor, such as Mesa's llvmpipe. */
export interface OpenedAdapter {
  readonly adapter: Adapter;
  /** As its driver calls it: "NVIDIA H100 80GB HBM3", "llvmpipe (LLVM 19.1.7, 256 bits)". */
  readonly name: string;
  /** The interface below Dawn: "vulkan", "metal", "d3d12". */
  readonly backend: string;
}

/** @param option of Dawn, such as "adapter=NAME": the first adapter with NAME in its name */
export type InstanceOf = (option?: string) => Gpu;

const FASTEST = { powerPreference: "high-performance" } as const;

interface ListedAdapter {
  readonly name: string;
  readonly backend: string;
}

/**
 * Opens the adapter that was asked for, or else the one that Dawn holds for the fastest.
 *
 * @param gpu the GPU to open, "none" for an adapter on the processor, undefined for whatever is there
 * @param namePart open only an adapter with this in its name; empty for any
 * @throws LockstepError ("usage") when there is no such adapter: nothing else is opened in its place
 */
export async function openAdapter(
  instance: InstanceOf,
  gpu: EngineOptions["gpu"],
  namePart: string,
): Promise<OpenedAdapter> {
  const listed = await listAdapters(instance);
  if (gpu === undefined && namePart === "") {
    const adapter = await instance().requestAdapter(FASTEST);
    if (adapter !== null) return { adapter, ...listedAs(adapter, listed) };
  }
  const offered: string[] = [];
  for (const { name, backend } of listed) {
    const adapter = await instance(`adapter=${name}`).requestAdapter(FASTEST);
    if (adapter === null) continue;
    const { isFallbackAdapter } = adapter.info;
    const isWanted =
      gpu === undefined || (gpu === "none" ? isFallbackAdapter : !isFallbackAdapter && isSameName(name, gpu.name));
    if (isWanted && contains(name, namePart)) return { adapter, name, backend };
    offered.push(isFallbackAdapter ? `${name}, which computes on the processor` : name);
  }
  throw notFound(gpu, namePart, [...new Set(offered)]);
}

/**
 * The adapters that there are, by name. WebGPU hides the names and offers no list, but Dawn names them all when it is
 * asked for one that does not exist.
 */
async function listAdapters(instance: InstanceOf): Promise<ListedAdapter[]> {
  try {
    await instance("adapter=none of this name").requestAdapter(FASTEST);
    return [];
  } catch (error) {
    const lines = messageOf(error).matchAll(/backend: '([^']*)', name: '(.*)'$/gm);
    return Array.from(lines, ([, backend, name]) => ({ backend: backend!, name: name! }));
  }
}

function listedAs({ info }: Adapter, listed: readonly ListedAdapter[]): ListedAdapter {
  const simplified = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const found = listed.find(({ name }) => simplified(name) === simplified(info.device));
  return found ?? { name: info.device || info.description, backend: "an unnamed interface" };
}

function contains(name: string, part: string): boolean {
  return name.toLowerCase().includes(part.toLowerCase());
}

/** Drivers add to the maker's name, as in "AMD Radeon RX 6800 (RADV NAVI21)". */
function isSameName(name: string, other: string): boolean {
  return contains(name, other) || contains(other, name);
}

function notFound(gpu: EngineOptions["gpu"], namePart: string, offered: readonly string[]): LockstepError {
  const what = gpu === undefined ? "a GPU" : gpu === "none" ? "a driver that computes on the processor" : gpu.name;
  const wanted = namePart === "" ? what : `${what} with "${namePart}" in its name (WEBGPU_ADAPTER)`;
  const there = offered.length === 0 ? "there is no driver for any" : `there is only ${offered.join("; ")}`;
  return new LockstepError("usage", `the webgpu engine was to use ${wanted}, but ${there}: ${remedy(gpu)}`);
}

function remedy(gpu: EngineOptions["gpu"]): string {
  if (process.platform !== "linux") return "install the GPU's driver";
  if (gpu === "none") return "install Mesa 24 or later (packages mesa-vulkan-drivers and libvulkan1)";
  const inContainer = "in a container with an NVIDIA GPU, set NVIDIA_DRIVER_CAPABILITIES=all";
  return `install the GPU's Vulkan driver and the package libvulkan1 (${inContainer})`;
}
