/**
 * Makes of any picture of a digit what MNIST's digits are: light on dark, the longer side of the ink scaled to 20 pixels,
 * its centre of mass in the middle of 28x28 (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"). Pure:
 * it runs in a browser as well.
 */

import { STORED_SIDE, STORED_SIZE } from "../shared/data/idx.ts";
import { type GreyImage, reduced } from "./grey-image.ts";
import { type Ink, inkOf, type Invert } from "./ink.ts";
import { type Box, drawingOf } from "./marks.ts";
import { scaleBox } from "./scale-box.ts";

/**
 * Whether the ink is cut out, scaled and centred (`yes`), or the whole picture scaled to 28x28 (`no`). `auto`: `no` for
 * pictures of 28x28 pixels, which have been prepared already.
 */
export type Fit = "auto" | "yes" | "no";

export interface PrepareOptions {
  readonly invert: Invert;
  readonly fit: Fit;
}

/** Why an answer for a picture means little: nothing is on it, or hardly anything that differs from the rest. */
export type Blank = "empty" | "nearly uniform";

export interface PreparedImage {
  /** [28, 28] bytes, 0 for background to 255, as in a data set's file. */
  readonly pixels: Uint8Array;
  /** Whether dark and light were exchanged. */
  readonly inverted: boolean;
  readonly blank?: Blank;
}

/** The longer side of the ink. */
const INK_SIDE = 20;
/** The pixel, counted from 0, that the centre of mass is nearest to. In MNIST it is this one, in both directions. */
const CENTRE = 14;
/** Larger pictures are made smaller first: no stroke of a digit needs more. */
const WORKING_SIDE = 1024;
/** Ink that differs less from what lies behind it, in brightness from 0 to 255, is hardly there. */
const FAINT = 24;

export function prepareImage(image: GreyImage, { invert, fit }: PrepareOptions): PreparedImage {
  const working = reduced(image, WORKING_SIDE);
  const ink = inkOf(working, invert);
  const isStored = image.width === STORED_SIDE && image.height === STORED_SIDE;
  const pixels = fit === "yes" || (fit === "auto" && !isStored) ? fitted(ink) : whole(working, ink.isDark);
  const blank =
    pixels === undefined || ink.contrast < 1 ? "empty" : ink.contrast < FAINT ? "nearly uniform" : undefined;
  return {
    pixels: pixels ?? new Uint8Array(STORED_SIZE),
    inverted: ink.isDark,
    ...(blank === undefined ? {} : { blank }),
  };
}

/** The ink alone. */
function fitted(ink: Ink): Uint8Array | undefined {
  const drawing = drawingOf(ink);
  if (drawing === undefined) return undefined;
  const { box, strength } = drawing;
  const [width, height] = sizeWithin(box, INK_SIDE);
  const scaled = scaleBox(strength, ink.width, box, width, height);
  const [massX, massY] = centreOfMass(scaled, width);
  const bytes = scaled.map((value) => value * 255);
  return placed(bytes, width, firstPlace(massX, width), firstPlace(massY, height));
}

/** All of the picture. */
function whole({ width, height, pixels }: GreyImage, inverted: boolean): Uint8Array {
  const box = { left: 0, top: 0, right: width - 1, bottom: height - 1 };
  const [toWidth, toHeight] = sizeWithin(box, STORED_SIDE);
  const scaled = scaleBox(pixels, width, box, toWidth, toHeight);
  const light = inverted ? scaled.map((value) => 255 - value) : scaled;
  return placed(light, toWidth, (STORED_SIDE - toWidth) >> 1, (STORED_SIDE - toHeight) >> 1);
}

/** Of the same shape, the longer side as given. */
function sizeWithin(box: Box, side: number): [width: number, height: number] {
  const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
  const scale = side / Math.max(width, height);
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** In pixels, counted from 0. */
function centreOfMass(values: Float64Array, width: number): [x: number, y: number] {
  let [mass, massX, massY] = [0, 0, 0];
  for (const [i, value] of values.entries()) {
    mass += value;
    massX += value * (i % width);
    massY += value * Math.floor(i / width);
  }
  return [massX / mass, massY / mass];
}

/** Where something begins whose centre of mass is to be in the middle; it stays within the image. */
function firstPlace(mass: number, length: number): number {
  return Math.min(Math.max(CENTRE - Math.round(mass), 0), STORED_SIDE - length);
}

function placed(values: Float64Array, width: number, left: number, top: number): Uint8Array {
  const pixels = new Uint8Array(STORED_SIZE);
  for (const [i, value] of values.entries()) {
    pixels[(top + Math.floor(i / width)) * STORED_SIDE + left + (i % width)] = Math.round(value);
  }
  return pixels;
}
