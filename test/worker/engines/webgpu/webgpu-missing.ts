import { messageOf } from "../../../../src/shared/errors.ts";
import { openWebGpu } from "../../../../src/worker/engines/webgpu/open-webgpu.ts";

/** Why the webgpu engine cannot be tested here; undefined when it can. A driver that computes on the processor will do. */
export const webGpuMissing = await reasonWhyNot();

async function reasonWhyNot(): Promise<string | undefined> {
  try {
    const { close } = await openWebGpu({});
    await close();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
