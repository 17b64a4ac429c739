/**
 * The reference runs in float32 as an engine and in float64 where a test compares gradients with differences of losses.
 * The formulas are the same: sums are taken in JavaScript's float64 numbers and rounded when they are stored.
 */
export type Numbers = Float32Array | Float64Array;

/** Makes an array of zeros; decides the precision. */
export type Allocate<A extends Numbers = Numbers> = (length: number) => A;
