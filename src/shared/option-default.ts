import { COMMAND_SCHEMAS } from "./config.ts";
import { describeOption } from "./config-values.ts";

const SHAPE = { ...COMMAND_SCHEMAS.train.shape, ...COMMAND_SCHEMAS.coordinator.shape };

/**
 * What an option of `train` or `coordinator` is where nobody gives it, recipes left aside; undefined where it then has no
 * value. A saved configuration that lacks a key is from before there was the option, and was trained with this.
 */
export function defaultOf(key: keyof typeof SHAPE): unknown {
  return describeOption(SHAPE[key]).default;
}
