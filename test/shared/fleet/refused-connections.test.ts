import { expect, test } from "vitest";
import { RefusedConnections } from "../../../src/shared/fleet/refused-connections.ts";

test("each reason is told at once, then every 10 s with how often it was", () => {
  const refused = new RefusedConnections();
  expect(refused.due(0)).toEqual([]);
  refused.add("a stranger");
  expect(refused.due(100)).toEqual([{ type: "connection-refused", connections: 1, reason: "a stranger" }]);
  for (let i = 0; i < 500; i++) refused.add("a stranger");
  refused.add("without keys");
  expect(refused.due(200)).toEqual([{ type: "connection-refused", connections: 1, reason: "without keys" }]);
  expect(refused.due(10_099)).toEqual([]);
  expect(refused.due(10_100)).toEqual([{ type: "connection-refused", connections: 500, reason: "a stranger" }]);
  // Silent for a while, it is forgotten.
  expect(refused.due(30_000)).toEqual([]);
  refused.add("a stranger");
  expect(refused.due(30_001)).toHaveLength(1);
});

test("those who show a new key each time are counted together", () => {
  const refused = new RefusedConnections();
  for (let i = 0; i < 10_000; i++) refused.add(`key ${i}`);
  const told = refused.due(0);
  expect(told).toHaveLength(9);
  expect(told.reduce((sum, { connections }) => sum + connections, 0)).toBe(10_000);
});
