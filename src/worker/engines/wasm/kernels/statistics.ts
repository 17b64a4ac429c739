/** Mean and variance of each channel over the shard: moments of each group first, then their union. */
export const STATISTICS = `
/**
 * Mean and sum of squared deviations of one channel of one group, while it is in the first-level cache.
 *
 * @param y [positions][4]; positions is a multiple of 4
 * @param lanes images in the group, 1 to 4
 * @param moments {mean, sum of squares}: two f32
 */
function channelMoments(y: usize, positions: i32, lanes: i32, moments: usize): void {
  const mask = laneMask(lanes);
  const end = y + (<usize>positions) * 16;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let at = y; at < end; at += 64) {
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, 16));
    s2 = f32x4.add(s2, v128.load(at, 32));
    s3 = f32x4.add(s3, v128.load(at, 48));
  }
  const sum = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  const mean = sumOfLanes(v128.and(sum, mask)) / <f32>(positions * lanes);
  const center = f32x4.splat(mean);
  s0 = f32x4.splat(0);
  s1 = s0;
  s2 = s0;
  s3 = s0;
  for (let at = y; at < end; at += 64) {
    const d0 = f32x4.sub(v128.load(at), center);
    const d1 = f32x4.sub(v128.load(at, 16), center);
    const d2 = f32x4.sub(v128.load(at, 32), center);
    const d3 = f32x4.sub(v128.load(at, 48), center);
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
  }
  const squares = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  store<f32>(moments, mean, 0);
  store<f32>(moments, sumOfLanes(v128.and(squares, mask)), 4);
}

/**
 * Merges the groups' moments into the shard's mean and biased variance, in float64 (Chan, Golub and LeVeque 1983).
 *
 * @param moments [groups][channels]{mean, sum of squares}
 * @param count images in the shard
 * @param positions values of a channel in one image
 */
export function mergeMoments(
  moments: usize, count: i32, channels: i32, positions: i32, mean: usize, variance: usize,
): void {
  const groups = (count + 3) >> 2;
  const lastLanes = count - (groups - 1) * 4;
  const stride = (<usize>channels) * 8;
  for (let channel = 0; channel < channels; channel++) {
    let sum: f64 = 0;
    let at = moments;
    for (let group = 0; group < groups; group++) {
      const lanes = group == groups - 1 ? lastLanes : 4;
      sum += <f64>lanes * load<f32>(at);
      at += stride;
    }
    const center = sum / count;
    let squares: f64 = 0;
    at = moments;
    for (let group = 0; group < groups; group++) {
      const lanes = group == groups - 1 ? lastLanes : 4;
      const shift = <f64>load<f32>(at) - center;
      squares += <f64>load<f32>(at, 4) + <f64>(lanes * positions) * shift * shift;
      at += stride;
    }
    store<f32>(mean, <f32>center);
    store<f32>(variance, <f32>(squares / (<f64>count * positions)));
    moments += 8;
    mean += 4;
    variance += 4;
  }
}
`;
