import { once } from "node:events";
import { expect, test } from "vitest";
import { ChildProcesses } from "../../src/workshop/child-processes.ts";

const FOREVER = ["-e", "setInterval(() => {}, 1000)"];

test("children that still run are ended, and no more can be started", async () => {
  const children = new ChildProcesses();
  const child = children.start(process.execPath, FOREVER, { stdio: "ignore" });
  await once(child, "spawn");
  await children.end();
  expect(child.signalCode).toBe("SIGTERM");
  expect(() => children.start(process.execPath, FOREVER, {})).toThrow("ending");
});

test("those that have ended, or could never be started, are not waited for", async () => {
  const children = new ChildProcesses();
  await once(children.start(process.execPath, ["-e", ""], { stdio: "ignore" }), "exit");
  await once(children.start("/no/such/program", [], { stdio: "ignore" }), "error");
  await children.end();
});
