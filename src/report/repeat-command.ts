import { flagName } from "../shared/config-resolve.ts";
import { describeOption } from "../shared/config-values.ts";
import { COMMAND_SCHEMAS, DECISIVE_OPTIONS } from "../shared/config.ts";
import { shellWord } from "../shared/shell-word.ts";

/** An option of a run, and whether it is another than the default. */
export interface Setting {
  readonly flag: string;
  /** Undefined where it is not given and has no default. */
  readonly value: string | undefined;
  readonly isDefault: boolean;
}

type Config = Readonly<Record<string, unknown>>;

const SHAPE = COMMAND_SCHEMAS.train.shape;
const DECISIVE: readonly string[] = DECISIVE_OPTIONS;

/** The options that decide the weights, together with the data and the engine. */
export function decisiveSettings(config: Config): Setting[] {
  return [...DECISIVE, "data"].map((key) => settingOf(key, config));
}

/** All others that the run was started with; those of its place and its terminal left out. */
export function otherSettings(config: Config): Setting[] {
  const known = [...DECISIVE, "data", "recipe", "runDir", "json", "quiet"];
  return Object.keys(config)
    .filter((key) => !known.includes(key))
    .map((key) => settingOf(key, config));
}

/** The command that comes to the same weights, whatever it is run on. */
export function repeatCommand(config: Config, engine: string): string {
  const settings = [...decisiveSettings(config), ...engineSetting(engine)];
  const words = settings.flatMap(({ flag, value, isDefault }) => {
    if (isDefault || value === undefined) return [];
    if (value === "true") return [flag];
    return value === "false" ? [`--no-${flag.slice(2)}`] : [flag, shellWord(value)];
  });
  return ["npx lockstep train", ...words].join(" ");
}

/** Wasm is the default, and several engines together cannot be asked for. */
function engineSetting(engine: string): Setting[] {
  const isNamed = engine !== "wasm" && SHAPE.engine.safeParse(engine).success;
  return isNamed ? [{ flag: "--engine", value: engine, isDefault: false }] : [];
}

function settingOf(key: string, config: Config): Setting {
  const schema = key in SHAPE ? SHAPE[key as keyof typeof SHAPE] : undefined;
  const fallback = schema === undefined ? undefined : describeOption(schema).default;
  // A run of before there was the option was trained with its default.
  const value = config[key] ?? fallback;
  const text = value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
  return { flag: flagName(key), value: text, isDefault: value === fallback };
}
