import { existsSync } from "node:fs";

/** What the driver makes: a device for programs, on Linux and in Windows' subsystem for it. */
const DEVICES = ["/dev/nvidiactl", "/dev/dxg"];

/** Whether there is an NVIDIA GPU with a driver, and the environment does not hide it. */
export function hasNvidiaGpu({ CUDA_VISIBLE_DEVICES: visible }: NodeJS.ProcessEnv = process.env): boolean {
  const isHidden = visible !== undefined && /^(|-1|none|NoDevFiles)$/.test(visible.trim());
  return !isHidden && DEVICES.some((device) => existsSync(device));
}
