import type { PeerId } from "../../shared/transport/transport.ts";

/**
 * Who does what: the shards of a step, or the chunks of an evaluation. Pure: every function returns a new board.
 *
 * Invariant: an item counts for a part at most once, from the worker that owned the item when its answer came.
 */
export interface Board<Part extends string> {
  readonly items: readonly WorkItem<Part>[];
  /** How many items still miss each part. */
  readonly left: Readonly<Record<Part, number>>;
}

export interface WorkItem<Part extends string> {
  /** Who was asked for it; undefined while nobody is. */
  readonly owner: PeerId | undefined;
  /** What has not been delivered yet. */
  readonly missing: readonly Part[];
}

export function newBoard<Part extends string>(count: number, parts: readonly Part[]): Board<Part> {
  const left = Object.fromEntries(parts.map((part) => [part, count])) as Record<Part, number>;
  return { items: Array.from({ length: count }, () => ({ owner: undefined, missing: parts })), left };
}

const indicesWhere = <Part extends string>(board: Board<Part>, holds: (item: WorkItem<Part>) => boolean): number[] =>
  board.items.flatMap((item, index) => (holds(item) ? [index] : []));

/** Whether anything is to be given out. */
export function hasUnowned<Part extends string>({ items }: Board<Part>): boolean {
  for (const { owner, missing } of items) if (owner === undefined && missing.length > 0) return true;
  return false;
}

/** Unfinished items that nobody is working on. */
export function unowned<Part extends string>(board: Board<Part>): number[] {
  return indicesWhere(board, (item) => item.owner === undefined && item.missing.length > 0);
}

/** Unfinished items that `peer` is working on. */
export function owedBy<Part extends string>(board: Board<Part>, peer: PeerId): number[] {
  return indicesWhere(board, (item) => item.owner === peer && item.missing.length > 0);
}

/** Those of the items of which `peer` still owes this part. */
export function owedPart<Part extends string>(
  board: Board<Part>,
  peer: PeerId,
  items: readonly number[],
  part: Part,
): number[] {
  return items.filter((index) => board.items[index]?.owner === peer && board.items[index].missing.includes(part));
}

/** Everyone who was asked for anything and has not left since. */
export function owners<Part extends string>(board: Board<Part>): ReadonlySet<PeerId> {
  const found = new Set<PeerId>();
  for (const { owner } of board.items) if (owner !== undefined) found.add(owner);
  return found;
}

/** Gives items to a worker, or takes them back for others (undefined). What was delivered stays delivered. */
export function setOwner<Part extends string>(
  board: Board<Part>,
  items: readonly number[],
  owner: PeerId | undefined,
): Board<Part> {
  return update(board, items, ({ missing }) => ({ owner, missing }));
}

export function deliver<Part extends string>(board: Board<Part>, items: readonly number[], part: Part): Board<Part> {
  let delivered = 0;
  const { items: updated } = update(board, items, (item) => {
    if (!item.missing.includes(part)) return item;
    delivered += 1;
    return { owner: item.owner, missing: item.missing.filter((other) => other !== part) };
  });
  return { items: updated, left: { ...board.left, [part]: board.left[part] - delivered } };
}

export function isDelivered<Part extends string>(board: Board<Part>, part: Part): boolean {
  return board.left[part] === 0;
}

/** Whether an answer may count: every item is owed by this peer, and none was delivered before. */
export function judge<Part extends string>(
  board: Board<Part>,
  peer: PeerId,
  items: readonly number[],
  part: Part,
): "owed" | "not-owed" | "duplicate" {
  if (new Set(items).size !== items.length) return "not-owed";
  let verdict: "owed" | "duplicate" = "owed";
  for (const index of items) {
    const item = board.items[index];
    if (item === undefined) return "not-owed";
    if (!item.missing.includes(part)) verdict = "duplicate";
    else if (item.owner !== peer) return "not-owed";
  }
  return verdict;
}

/**
 * Cuts items, in order, into `count` runs of nearly equal length; later runs may be empty.
 *
 * Items that miss different parts never share a run: an answer covers a whole run, and so is either new or known as a
 * whole.
 */
export function share<Part extends string>(
  board: Pick<Board<Part>, "items">,
  items: readonly number[],
  count: number,
): number[][] {
  const alike = new Map<string, number[]>();
  for (const index of items) {
    const key = board.items[index]?.missing.join() ?? "";
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [index]);
    else group.push(index);
  }
  return [...alike.values()].flatMap((group) => cut(group, count));
}

function cut(items: readonly number[], count: number): number[][] {
  const edge = (run: number) => Math.ceil((run * items.length) / count);
  return Array.from({ length: count }, (_, run) => items.slice(edge(run), edge(run + 1)));
}

function update<Part extends string>(
  board: Board<Part>,
  indices: readonly number[],
  change: (item: WorkItem<Part>) => WorkItem<Part>,
): Board<Part> {
  const items = [...board.items];
  for (const index of indices) {
    const item = items[index];
    if (item !== undefined) items[index] = change(item);
  }
  return { items, left: board.left };
}
