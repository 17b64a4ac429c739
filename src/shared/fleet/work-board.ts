import type { PeerId } from "../transport/transport.ts";
import { portions } from "./portions.ts";

/**
 * Who does what: the shards of a step, or the chunks of an evaluation. Pure: every function returns a new board.
 *
 * An item has more than one owner while somebody is late with it and others were asked as well: the first answer counts.
 *
 * Invariant: an item counts for a part at most once, from a worker that owned the item when its answer came.
 */
export interface Board<Part extends string> {
  readonly items: readonly WorkItem<Part>[];
  /** How many items still miss each part. */
  readonly left: Readonly<Record<Part, number>>;
}

export interface WorkItem<Part extends string> {
  /** Who was asked for it and has not left since. */
  readonly owners: readonly PeerId[];
  /** What has not been delivered yet. */
  readonly missing: readonly Part[];
}

export function newBoard<Part extends string>(count: number, parts: readonly Part[]): Board<Part> {
  const left = Object.fromEntries(parts.map((part) => [part, count])) as Record<Part, number>;
  return { items: Array.from({ length: count }, () => ({ owners: NOBODY, missing: parts })), left };
}

const NOBODY: readonly PeerId[] = [];

const indicesWhere = <Part extends string>(board: Board<Part>, holds: (item: WorkItem<Part>) => boolean): number[] =>
  board.items.flatMap((item, index) => (holds(item) ? [index] : []));

/** Whether anything unfinished has no owner, or only such as `isLate` holds for. */
export function hasUnattended<Part extends string>(
  { items }: Board<Part>,
  isLate: ((peer: PeerId) => boolean) | undefined,
): boolean {
  for (const { owners: asked, missing } of items) {
    if (missing.length > 0 && (asked.length === 0 || (isLate !== undefined && asked.every(isLate)))) return true;
  }
  return false;
}

/** Unfinished items that nobody is working on. */
export function unowned<Part extends string>(board: Board<Part>): number[] {
  return indicesWhere(board, (item) => item.owners.length === 0 && item.missing.length > 0);
}

/** Unfinished items that only those work on for whom `isLate` holds, at least one of them. */
export function overdue<Part extends string>(board: Board<Part>, isLate: (peer: PeerId) => boolean): number[] {
  return indicesWhere(board, ({ owners: asked, missing }) => {
    return missing.length > 0 && asked.length > 0 && asked.every(isLate);
  });
}

/** Whether there are unfinished items that `peer` is working on. */
export function owes<Part extends string>({ items }: Board<Part>, peer: PeerId): boolean {
  for (const { owners: asked, missing } of items) if (missing.length > 0 && asked.includes(peer)) return true;
  return false;
}

/** Unfinished items that `peer` is working on. */
export function owedBy<Part extends string>(board: Board<Part>, peer: PeerId): number[] {
  return indicesWhere(board, (item) => item.owners.includes(peer) && item.missing.length > 0);
}

/** Those of the items of which `peer` still owes this part. */
export function owedPart<Part extends string>(
  board: Board<Part>,
  peer: PeerId,
  items: readonly number[],
  part: Part,
): number[] {
  return items.filter((index) => {
    const item = board.items[index];
    return item?.owners.includes(peer) === true && item.missing.includes(part);
  });
}

/** Everyone who was asked for anything and has not left since. */
export function owners<Part extends string>(board: Board<Part>): ReadonlySet<PeerId> {
  const found = new Set<PeerId>();
  for (const item of board.items) for (const owner of item.owners) found.add(owner);
  return found;
}

/** Gives items to a worker, who may not be the only one. What was delivered stays delivered. */
export function addOwner<Part extends string>(board: Board<Part>, items: readonly number[], peer: PeerId): Board<Part> {
  const alone = [peer];
  return update(board, items, ({ owners: asked, missing }) => {
    return { owners: asked.length === 0 ? alone : [...asked, peer], missing };
  });
}

/** Takes items back from a worker. */
export function removeOwner<Part extends string>(
  board: Board<Part>,
  items: readonly number[],
  peer: PeerId,
): Board<Part> {
  return update(board, items, ({ owners: asked, missing }) => {
    const rest = asked.filter((other) => other !== peer);
    return { owners: rest.length === 0 ? NOBODY : rest, missing };
  });
}

export function deliver<Part extends string>(board: Board<Part>, items: readonly number[], part: Part): Board<Part> {
  let delivered = 0;
  const { items: updated } = update(board, items, (item) => {
    if (!item.missing.includes(part)) return item;
    delivered += 1;
    return { owners: item.owners, missing: item.missing.filter((other) => other !== part) };
  });
  return { items: updated, left: { ...board.left, [part]: board.left[part] - delivered } };
}

export function isDelivered<Part extends string>(board: Board<Part>, part: Part): boolean {
  return board.left[part] === 0;
}

/** Whether an answer may count: every item is owed by this peer, among others perhaps, and none was delivered before. */
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
    else if (!item.owners.includes(peer)) return "not-owed";
  }
  return verdict;
}

/**
 * Cuts items, in order, into a run for each worker, so that all are done at about the same time; runs may be empty.
 *
 * Items that miss different parts never share a run: an answer covers a whole run, and so is either new or known as a
 * whole.
 * @param costs what one item costs each worker, in any one unit
 */
export function share<Part extends string>(
  board: Pick<Board<Part>, "items">,
  items: readonly number[],
  costs: readonly number[],
): number[][] {
  const alike = new Map<string, number[]>();
  for (const index of items) {
    const key = board.items[index]?.missing.join() ?? "";
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [index]);
    else group.push(index);
  }
  return [...alike.values()].flatMap((group) => cut(group, portions(group.length, costs)));
}

function cut(items: readonly number[], lengths: readonly number[]): number[][] {
  let start = 0;
  return lengths.map((length) => items.slice(start, (start += length)));
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
