import { expect, test } from "vitest";
import { Throughput } from "../../src/coordinator/throughput.ts";

test("is 0 before the first step", () => {
  expect(new Throughput(5).samplesPerSecond(5)).toBe(0);
  expect(new Throughput(5).samplesPerSecond(1005)).toBe(0);
});

test("counts from the start while the run is young", () => {
  const throughput = new Throughput(1000);
  for (let at = 1100; at <= 2000; at += 100) throughput.step(at, 64);
  expect(throughput.samplesPerSecond(2000)).toBe(640);
});

test("forgets what is older than ten seconds", () => {
  const throughput = new Throughput(0);
  for (let at = 100; at <= 20_000; at += 100) throughput.step(at, 10);
  for (let at = 20_100; at <= 40_000; at += 100) throughput.step(at, 100);
  expect(throughput.samplesPerSecond(40_000)).toBe(1000);
});

test("does not count time that went into evaluation", () => {
  const throughput = new Throughput(0);
  throughput.step(1000, 100);
  throughput.skip(9000);
  throughput.step(10_000, 100);
  expect(throughput.samplesPerSecond(10_000)).toBe(100);
});

test("falls while nothing happens", () => {
  const throughput = new Throughput(0);
  throughput.step(1000, 100);
  expect(throughput.samplesPerSecond(4000)).toBe(25);
});
