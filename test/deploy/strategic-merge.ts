/** How kustomize lays one object over another. Pure. */

type Json = Record<string, unknown>;

/** Lists that are merged, each with the field that tells whether two items are the same one; others are replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  env: "name",
  volumes: "name",
  volumeMounts: "mountPath",
};

/** `patch` laid over `value`: objects field by field, lists by their items' names where they have such. */
export function mergeStrategically(value: unknown, patch: unknown, field = ""): unknown {
  if (patch === null) throw new Error(`a null for ${field} would delete it, which this renderer does not do`);
  if (Array.isArray(patch)) {
    const key = MERGE_KEYS[field];
    return key === undefined || !Array.isArray(value) ? (patch as unknown[]) : mergeLists(value, patch, key);
  }
  if (!isObject(patch)) return patch;
  const before = isObject(value) ? value : {};
  const merged = Object.entries(patch).map(([name, inner]) => [name, mergeStrategically(before[name], inner, name)]);
  return { ...before, ...(Object.fromEntries(merged) as Json) };
}

/** What the patch names comes first, in its order. */
function mergeLists(values: readonly unknown[], patches: readonly unknown[], key: string): unknown[] {
  const keyOf = (item: unknown): unknown => (isObject(item) ? item[key] : undefined);
  const find = (items: readonly unknown[], item: unknown): unknown => items.find((each) => keyOf(each) === keyOf(item));
  return [
    ...patches.map((patch) => mergeStrategically(find(values, patch), patch)),
    ...values.filter((value) => find(patches, value) === undefined),
  ];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
