/**
 * Set in the environment of a worker that `lockstep train` starts. Such a worker ends when its parent is gone, even if
 * that happens before the worker is ready to notice.
 */
export const CHILD_MARK = "LOCKSTEP_IS_CHILD";
