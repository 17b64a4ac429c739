import { expect, test } from "vitest";
import type { Device } from "../../../../src/worker/engines/webgpu/dawn.ts";
import { DeviceWatch } from "../../../../src/worker/engines/webgpu/device-watch.ts";

function fakeDevice() {
  let lose: (why: { reason: string; message: string }) => void = () => {};
  let refuse: (event: { readonly error: Error }) => void = () => {};
  const device: Device = {
    lost: new Promise((resolve) => (lose = resolve)),
    addEventListener: (_, listener) => (refuse = listener),
    destroy: () => {},
  };
  return {
    watch: new DeviceWatch(device, "Card 9000"),
    lose: (reason: string, message: string) => lose({ reason, message }),
    refuse: (message: string) => refuse({ error: new Error(message) }),
  };
}

const NEVER = new Promise<never>(() => {});

test("work that ends is what it was", async () => {
  const { watch } = fakeDevice();
  await expect(watch.until(Promise.resolve(7))).resolves.toBe(7);
});

test.each([
  ["unknown", "vkQueueSubmit failed\n with VK_ERROR_DEVICE_LOST", /Card 9000 was lost \(vkQueueSubmit failed with VK/],
  ["unknown", "", /Card 9000 was lost \(no reason was given\): start the worker again/],
])("nobody waits for a lost device, before or after it is known (%s, %j)", async (why, text, message) => {
  const { watch, lose } = fakeDevice();
  const waiting = watch.until(NEVER);
  lose(why, text);
  await expect(waiting).rejects.toMatchObject({ code: "failed", message: expect.stringMatching(message) });
  await expect(watch.until(NEVER)).rejects.toMatchObject({ message: expect.stringMatching(message) });
});

test("work that a lost device refused fails with the loss, although it is reported later", async () => {
  const { watch, lose } = fakeDevice();
  const waiting = watch.until(Promise.reject(new Error("")));
  lose("destroyed", "device was destroyed");
  await expect(waiting).rejects.toThrow("Card 9000 was lost (destroyed: device was destroyed)");
});

test("work that ends after an error is not believed", async () => {
  const { watch, refuse } = fakeDevice();
  refuse("Out of memory\n - While calling CreateBuffer");
  const message = "Card 9000 refused a computation of the webgpu engine: Out of memory - While calling CreateBuffer";
  await expect(watch.until(Promise.resolve(7))).rejects.toMatchObject({ code: "failed", message });
  await expect(watch.until(Promise.reject(new Error("later")))).rejects.toMatchObject({ message });
});
