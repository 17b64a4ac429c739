/** Connected marks of ink: which belong to what is drawn, and which are specks. Pure. */

import type { Ink } from "./ink.ts";

/** A rectangle of pixels, edges included. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Ink weaker than this belongs to no mark: it is the fringe of one, or what compression left around it. */
const MARK_STRENGTH = 0.3;
/** A mark with fewer pixels than this share of the largest one's is a speck. */
const SPECK_SHARE = 0.02;

export interface Drawing {
  /** What holds all marks but the specks. */
  readonly box: Box;
  /** The ink without specks, [height, width] as in `Ink`. */
  readonly strength: Float32Array;
}

/** @returns undefined where there is no ink */
export function drawingOf(ink: Ink): Drawing | undefined {
  const { labels, marks } = findMarks(ink);
  // A noisy picture has more marks than a call takes arguments.
  const largest = marks.reduce((most, { size }) => Math.max(most, size), 0);
  const isKept = marks.map(({ size }) => size >= SPECK_SHARE * largest);
  const [first, ...others] = marks.filter((_, mark) => isKept[mark]).map(({ box }) => box);
  if (first === undefined) return undefined;
  const box = others.reduce(around, first);
  const strength = ink.strength.map((value, i) => (labels[i] === 0 || isKept[labels[i]! - 1] ? value : 0));
  return { box, strength };
}

function around(a: Box, b: Box): Box {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

interface Mark {
  size: number;
  box: Box;
}

/** Marks are joined along edges and corners. `labels` holds 0 for no mark, or its place in `marks` and 1. */
function findMarks({ width, height, strength }: Ink): { labels: Uint32Array; marks: Mark[] } {
  const labels = new Uint32Array(width * height);
  const marks: Mark[] = [];
  const waiting: number[] = [];
  for (let start = 0; start < strength.length; start++) {
    if (strength[start]! < MARK_STRENGTH || labels[start] !== 0) continue;
    const [startX, startY] = [start % width, Math.floor(start / width)];
    const mark: Mark = { size: 0, box: { left: startX, top: startY, right: startX, bottom: startY } };
    marks.push(mark);
    labels[start] = marks.length;
    waiting.push(start);
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      const [x, y] = [place % width, Math.floor(place / width)];
      mark.size += 1;
      mark.box = around(mark.box, { left: x, top: y, right: x, bottom: y });
      for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
        for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
          const next = nextY * width + nextX;
          if (labels[next] !== 0 || strength[next]! < MARK_STRENGTH) continue;
          labels[next] = marks.length;
          waiting.push(next);
        }
      }
    }
  }
  return { labels, marks };
}
