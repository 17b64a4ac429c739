/** Small functions that the other kernels call; the compiler inlines them. */
export const HELPERS = `
/** All ones in the lanes that hold an image, zeros in the unused lanes of a shard's last group. */
@inline
function laneMask(lanes: i32): v128 {
  return i32x4.gt_s(i32x4.splat(lanes), i32x4(0, 1, 2, 3));
}

@inline
function sumOfLanes(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
`;
