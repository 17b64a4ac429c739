import { describe, expect, test } from "vitest";
import { COMPARE_STYLE, SERIES_COLOURS } from "../../src/compare/style.ts";

/**
 * Colours as people see them who lack one kind of cone: Machado, Oliveira and Fernandes, "A Physiologically-based Model for
 * Simulation of Color Vision Deficiency" (2009), severity 1, on linear RGB.
 */
const VISIONS = {
  "all cones": [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;

/** Distances in OKLab; black and white are 1 apart. */
const LEAST_DISTANCE = 0.15;
/** WCAG 2.1, 1.4.11: graphics that are needed to understand. */
const LEAST_CONTRAST = 3;

type Triple = readonly [number, number, number];

function linear(colour: string): Triple {
  const channel = (from: number): number => {
    const value = Number.parseInt(colour.slice(from, from + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function product(matrix: readonly number[], [r, g, b]: Triple): Triple {
  const row = (i: number): number => (matrix[i] ?? 0) * r + (matrix[i + 1] ?? 0) * g + (matrix[i + 2] ?? 0) * b;
  return [row(0), row(3), row(6)];
}

/** https://bottosson.github.io/posts/oklab */
function oklab(rgb: Triple): Triple {
  const cones = product(
    [
      0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566, 0.0883024619, 0.2817188376,
      0.6299787005,
    ],
    rgb,
  );
  const [l, m, s] = cones.map(Math.cbrt);
  return product(
    [
      0.2104542553, 0.793617785, -0.0040720468, 1.9779984951, -2.428592205, 0.4505937099, 0.0259040371, 0.7827717662,
      -0.808675766,
    ],
    [l ?? 0, m ?? 0, s ?? 0],
  );
}

function seen(colour: string, vision: readonly number[]): Triple {
  const [r, g, b] = product(vision, linear(colour)).map((value) => Math.min(1, Math.max(0, value)));
  return oklab([r ?? 0, g ?? 0, b ?? 0]);
}

function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => product([0.2126, 0.7152, 0.0722], linear(colour))[0];
  const [light, dark] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

const papers = [...COMPARE_STYLE.matchAll(/--paper: (#[\da-f]{6})/g)].map(([, paper]) => paper ?? "");

describe.each([
  ["light", papers[0] ?? ""],
  ["dark", papers[1] ?? ""],
] as const)("on %s paper (%s)", (scheme, paper) => {
  const colours: readonly string[] = SERIES_COLOURS[scheme];

  test.each(Object.entries(VISIONS))("no two colours look alike with %s", (_, vision) => {
    const all = colours.map((colour) => seen(colour, vision));
    const distances = all.flatMap((a, i) =>
      all.slice(0, i).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])),
    );
    expect(Math.min(...distances)).toBeGreaterThan(LEAST_DISTANCE);
  });

  test("every colour stands out", () => {
    expect(Math.min(...colours.map((colour) => contrast(colour, paper)))).toBeGreaterThan(LEAST_CONTRAST);
  });
});
