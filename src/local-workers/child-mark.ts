/**
 * Set in the environment of a worker that `lockstep train` starts. Such a worker ends when its parent is gone, even if
 * that happens before the worker is ready to notice.
 */
export const CHILD_MARK = "IS_LOCKSTEP_CHILD";

/** Beside it: the GPU that such a worker is given, as JSON, so that it need not find out what its parent knows. */
export const CHILD_GPU = "GPU_OF_LOCKSTEP_CHILD";
