/** The order in which a tree of takes is listed. */

import type { Take } from "../protocol";

export interface TreeRow {
  take: Take;
  depth: number;
}

/**
 * Takes from the newest to the oldest, each above its parent as in a history: the line that leads to what is on screen is
 * not indented, what branches off from it is. Deleted takes are left out; those that came from one move to its parent.
 */
export function treeRows(takes: readonly Take[], head: string | null, starredOnly = false): TreeRow[] {
  const all = new Map(takes.map((take) => [take.id, take]));
  const shown = takes.filter((take) => !take.deleted);
  if (starredOnly)
    return shown
      .filter(({ star }) => star)
      .sort(newest)
      .map((take) => ({ take, depth: 0 }));
  const parentOf = (take: Take): string | null => {
    let parent = take.parent === null ? undefined : all.get(take.parent);
    while (parent?.deleted) parent = parent.parent === null ? undefined : all.get(parent.parent);
    return parent?.id ?? null;
  };
  const children = new Map<string | null, Take[]>();
  for (const take of shown) {
    const parent = parentOf(take);
    const siblings = children.get(parent);
    if (siblings) siblings.push(take);
    else children.set(parent, [take]);
  }
  const main = new Set<string>();
  for (let take = head === null ? undefined : all.get(head); take; take = all.get(parentOf(take) ?? ""))
    main.add(take.id);
  const rows: TreeRow[] = [];
  const pending: { take: Take; depth: number; done: boolean }[] = (children.get(null) ?? [])
    .sort((a, b) => newest(b, a))
    .map((take) => ({ take, depth: 0, done: false }));
  // Without recursion: a long afternoon of edits is a long line of parents.
  while (pending.length > 0) {
    const top = pending.pop();
    if (!top) break;
    if (top.done) {
      rows.push({ take: top.take, depth: top.depth });
      continue;
    }
    pending.push({ ...top, done: true });
    const own = (children.get(top.take.id) ?? []).sort((a, b) => newest(b, a));
    const straight = own.find(({ id }) => main.has(id)) ?? (own.length === 1 ? own[0] : undefined);
    // What goes straight on is listed last, above everything that branches off: it is pushed first.
    const order = straight ? [...own.filter((take) => take !== straight), straight] : own;
    for (const take of order) pending.push({ take, depth: top.depth + (take === straight ? 0 : 1), done: false });
  }
  return rows;
}

function newest(a: Take, b: Take): number {
  return b.created - a.created;
}
