/**
 * Batch normalisation fused with what surrounds it: ReLU and 2x2 max-pooling.
 *
 * Formulas: Ioffe and Szegedy 2015, with y the convolution's output and N = images x positions of a channel,
 *
 *     z       = gamma * (y - mean) * inverse + beta                 inverse = 1 / sqrt(variance + epsilon)
 *     dbeta   = sum dz            dgamma = inverse * sum dz * (y - mean)
 *     dy      = gamma * inverse * (dz - dbeta / N - (y - mean) * inverse * dgamma / N)
 *
 * The pooling's winners are found again in the backward pass by value: the forward pass keeps the raw y of each winner,
 * and the first y of the window that equals it is the winner, because equal y give equal z and the first of equal z
 * wins (PyTorch's rule). Only winners have a dz, so the two sums run over pooled positions, a quarter of all.
 */
export const BATCH_NORM = `
/** Writes normalisation as z = scale * y + shift. All arrays [channels]. */
export function foldNormalization(
  mean: usize, variance: usize, gamma: usize, beta: usize, channels: i32, epsilon: f64, scale: usize, shift: usize,
): void {
  for (const end = mean + (<usize>channels) * 4; mean < end; mean += 4) {
    const factor = <f64>load<f32>(gamma) / sqrt<f64>(<f64>load<f32>(variance) + epsilon);
    store<f32>(scale, <f32>factor);
    store<f32>(shift, <f32>(<f64>load<f32>(beta) - <f64>load<f32>(mean) * factor));
    variance += 4;
    gamma += 4;
    beta += 4;
    scale += 4;
    shift += 4;
  }
}

/**
 * One group: normalise, ReLU, pool. The maximum is taken before the ReLU, which gives the same value.
 *
 * @param y [channels][side][side][4]
 * @param pooled [channels][side / 2][side / 2][4]
 * @param winners the y behind each pooled value, same shape
 */
export function normalizeAndPool(
  y: usize, scale: usize, shift: usize, pooled: usize, winners: usize, channels: i32, side: i32,
): void {
  const zero = f32x4.splat(0);
  const row = (<usize>side) * 16;
  for (let channel = 0; channel < channels; channel++) {
    const s = v128.load32_splat(scale);
    const t = v128.load32_splat(shift);
    scale += 4;
    shift += 4;
    for (let pair = 0; pair < side; pair += 2) {
      let below = y + row;
      for (const end = below; y < end; y += 32, below += 32) {
        let winner = v128.load(y);
        let best = f32x4.add(f32x4.mul(winner, s), t);

        let candidate = v128.load(y, 16);
        let z = f32x4.add(f32x4.mul(candidate, s), t);
        let better = f32x4.gt(z, best);
        best = v128.bitselect(z, best, better);
        winner = v128.bitselect(candidate, winner, better);

        candidate = v128.load(below);
        z = f32x4.add(f32x4.mul(candidate, s), t);
        better = f32x4.gt(z, best);
        best = v128.bitselect(z, best, better);
        winner = v128.bitselect(candidate, winner, better);

        candidate = v128.load(below, 16);
        z = f32x4.add(f32x4.mul(candidate, s), t);
        better = f32x4.gt(z, best);
        best = v128.bitselect(z, best, better);
        winner = v128.bitselect(candidate, winner, better);

        v128.store(pooled, f32x4.max(best, zero));
        v128.store(winners, winner);
        pooled += 16;
        winners += 16;
      }
      y += row;
    }
  }
}

/**
 * One group, backward through the ReLU, and its share of dbeta and dgamma.
 *
 * @param dPooled [channels][positions][4]; becomes 0 where the ReLU was closed
 * @param sums [channels]{sum of dz, sum of dz * (y - mean)}[4], added to
 */
export function sumPooledGradient(
  dPooled: usize, pooled: usize, winners: usize, mean: usize, sums: usize, channels: i32, positions: i32,
): void {
  const zero = f32x4.splat(0);
  for (let channel = 0; channel < channels; channel++) {
    const center = v128.load32_splat(mean);
    let sum = v128.load(sums);
    let product = v128.load(sums, 16);
    for (const end = dPooled + (<usize>positions) * 16; dPooled < end; dPooled += 16) {
      const d = v128.and(v128.load(dPooled), f32x4.gt(v128.load(pooled), zero));
      v128.store(dPooled, d);
      sum = f32x4.add(sum, d);
      product = f32x4.add(product, f32x4.mul(d, f32x4.sub(v128.load(winners), center)));
      pooled += 16;
      winners += 16;
    }
    v128.store(sums, sum);
    v128.store(sums, product, 16);
    sums += 32;
    mean += 4;
  }
}

/**
 * dgamma, dbeta, and dy written as dy = factor * dz + slope * (y - mean) + offset.
 *
 * @param sums [channels]{sum of dz, sum of dz * (y - mean)}[4]
 * @param count N: images x positions of a channel
 * @param coefficients [channels]{factor, slope, offset, unused}
 */
export function finishNormalizationGradient(
  sums: usize, variance: usize, gamma: usize, channels: i32, count: f64, epsilon: f64,
  dGamma: usize, dBeta: usize, coefficients: usize,
): void {
  for (const end = variance + (<usize>channels) * 4; variance < end; variance += 4) {
    const inverse = 1.0 / sqrt<f64>(<f64>load<f32>(variance) + epsilon);
    const factor = <f64>load<f32>(gamma) * inverse;
    const dBetaHere = <f64>sumOfLanes(v128.load(sums));
    const dGammaHere = <f64>sumOfLanes(v128.load(sums, 16)) * inverse;
    store<f32>(dBeta, <f32>dBetaHere);
    store<f32>(dGamma, <f32>dGammaHere);
    store<f32>(coefficients, <f32>factor, 0);
    store<f32>(coefficients, <f32>(-factor * inverse * dGammaHere / count), 4);
    store<f32>(coefficients, <f32>(-factor * dBetaHere / count), 8);
    sums += 32;
    gamma += 4;
    dGamma += 4;
    dBeta += 4;
    coefficients += 16;
  }
}

/**
 * One group, backward through pooling and normalisation: dPooled [channels][side / 2][side / 2][4] (already 0 where the
 * ReLU was closed) -> dy [channels][side][side][4]. Lanes without an image get 0.
 */
export function expandGradient(
  dPooled: usize, winners: usize, y: usize, mean: usize, coefficients: usize, lanes: i32, dy: usize,
  channels: i32, side: i32,
): void {
  const mask = laneMask(lanes);
  const row = (<usize>side) * 16;
  for (let channel = 0; channel < channels; channel++) {
    const center = v128.load32_splat(mean);
    const factor = v128.load32_splat(coefficients);
    const slope = v128.and(v128.load32_splat(coefficients, 4), mask);
    const offset = v128.and(v128.load32_splat(coefficients, 8), mask);
    mean += 4;
    coefficients += 16;
    for (let pair = 0; pair < side; pair += 2) {
      let below = y + row;
      let dBelow = dy + row;
      for (const end = below; y < end; y += 32, below += 32) {
        const winner = v128.load(winners);
        const y0 = v128.load(y);
        const y1 = v128.load(y, 16);
        const y2 = v128.load(below);
        const y3 = v128.load(below, 16);
        // The gradient goes to the first match; what is taken is no longer there for the later ones.
        let d = f32x4.mul(v128.load(dPooled), factor);
        let match = f32x4.eq(y0, winner);
        const d0 = v128.and(d, match);
        d = v128.andnot(d, match);
        match = f32x4.eq(y1, winner);
        const d1 = v128.and(d, match);
        d = v128.andnot(d, match);
        match = f32x4.eq(y2, winner);
        const d2 = v128.and(d, match);
        d = v128.andnot(d, match);
        const d3 = v128.and(d, f32x4.eq(y3, winner));
        v128.store(dy, f32x4.add(d0, f32x4.add(f32x4.mul(f32x4.sub(y0, center), slope), offset)));
        v128.store(dy, f32x4.add(d1, f32x4.add(f32x4.mul(f32x4.sub(y1, center), slope), offset)), 16);
        v128.store(dBelow, f32x4.add(d2, f32x4.add(f32x4.mul(f32x4.sub(y2, center), slope), offset)));
        v128.store(dBelow, f32x4.add(d3, f32x4.add(f32x4.mul(f32x4.sub(y3, center), slope), offset)), 16);
        dPooled += 16;
        winners += 16;
        dy += 32;
        dBelow += 32;
      }
      y += row;
      dy += row;
    }
  }
}
`;
