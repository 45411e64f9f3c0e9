/** An adapter as the cells of its row, and adapters in the order of their lineage. */

import type { AdapterLine } from '../../adaptersWire';
import { sortedBy, type Column } from '../columns';
import { formatCount, formatMemory, NOTHING, shortModelName } from '../format';

const PLACE_WORDS: Readonly<Record<AdapterLine['place'], string>> = { active: 'in a slot', resident: 'in memory', stored: 'on disk', '': '' };

/** The first is the adapter's name, by which they stand in the order of their lineage. */
export const COLUMNS: readonly Column<AdapterLine>[] = [
  { heading: 'adapter', text: one => one.name, key: () => null },
  { heading: 'from', text: parentOf, key: one => parentOf(one) || null },
  { heading: 'rank', text: one => String(one.rank), key: one => one.rank },
  { heading: 'base model', text: one => shortModelName(one.baseModel), key: one => one.baseModel },
  { heading: 'step', text: one => formatCount(one.step), key: one => one.step },
  { heading: 'state', text: one => one.state, key: one => one.state },
  { heading: 'where', text: one => PLACE_WORDS[one.place], key: one => one.place || null },
  { heading: 'on disk', text: sizeOf, key: one => one.sizeBytes },
  { heading: 'until (UTC)', text: one => one.expiresAt.slice(0, 16).replace('T', ' '), key: one => one.expiresAt || null }
];

export interface Placed {
  readonly one: AdapterLine;
  /** Ancestors that are in the list. */
  readonly depth: number;
}

/** Children below their parents; those whose parent is gone stand by themselves. */
export function byLineage(adapters: readonly AdapterLine[]): readonly Placed[] {
  const names = new Set(adapters.map(one => one.name));
  const placed = new Set<string>();
  const below = (parent: string, depth: number): Placed[] =>
    adapters
      .filter(one => (names.has(one.parent) && one.parent !== one.name ? one.parent : '') === parent && !placed.has(one.name))
      .flatMap(one => {
        placed.add(one.name);
        return [{ one, depth }, ...below(one.name, depth + 1)];
      });
  const roots = below('', 0);
  // Two that went on from each other, as an adapter that was trained again can have.
  const rest = adapters.filter(one => !placed.has(one.name)).map(one => ({ one, depth: 0 }));
  return [...roots, ...rest];
}

/** In another order, and then flat. */
export function sortedLines(adapters: readonly AdapterLine[], column: Column<AdapterLine>, isDescending: boolean): readonly Placed[] {
  const ordered = sortedBy(adapters, column, isDescending, (a, b) => a.name.localeCompare(b.name));
  return ordered.map(one => ({ one, depth: 0 }));
}

/** `3 adapters, 42 MB on disk`. */
export function adaptersLine(adapters: readonly AdapterLine[]): string {
  const size = adapters.reduce((sum, one) => sum + one.sizeBytes, 0);
  const count = `${adapters.length} adapter${adapters.length === 1 ? '' : 's'}`;
  return size > 0 ? `${count}, ${formatMemory(size)} on disk` : count;
}

function parentOf(one: AdapterLine): string {
  return one.parent === '' ? '' : `${one.parent}@${one.parentStep}`;
}

function sizeOf(one: AdapterLine): string {
  if (one.sizeBytes === 0) {
    return NOTHING;
  }
  return one.numCheckpoints > 1 ? `${formatMemory(one.sizeBytes)} in ${one.numCheckpoints}` : formatMemory(one.sizeBytes);
}
