/** An adapter as the cells of its row, and adapters in the order of their lineage. */

import type { AdapterLine } from '../../adaptersWire';
import { formatCount, formatMemory, NOTHING } from '../format';
import { PLACE_WORDS } from './words';

/** A column: its heading, what its cell says, and what it is sorted by. */
export interface Column {
  readonly heading: string;
  readonly text: (one: AdapterLine) => string;
  /** What is not known is null, and comes last whichever way it is sorted. */
  readonly key: (one: AdapterLine) => number | string | null;
}

/** The first is the adapter's name, by which they stand in the order of their lineage. */
export const COLUMNS: readonly Column[] = [
  { heading: 'adapter', text: one => one.name, key: () => null },
  { heading: 'from', text: parentOf, key: one => parentOf(one) || null },
  { heading: 'rank', text: one => String(one.rank), key: one => one.rank },
  { heading: 'base model', text: one => shortModel(one.baseModel), key: one => one.baseModel },
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
export function sortedLines(adapters: readonly AdapterLine[], column: Column, isDescending: boolean): readonly Placed[] {
  const sign = isDescending ? -1 : 1;
  const ordered = [...adapters].sort((a, b) => {
    const [one, other] = [column.key(a), column.key(b)];
    if (one === null || other === null || one === other) {
      return Number(one === null) - Number(other === null) || a.name.localeCompare(b.name);
    }
    return sign * (typeof one === 'number' && typeof other === 'number' ? one - other : String(one).localeCompare(String(other)));
  });
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

/** A folder's name says more than where it is. */
function shortModel(name: string): string {
  return name.split('/').filter(part => part !== '').slice(-1)[0] ?? name;
}

function sizeOf(one: AdapterLine): string {
  if (one.sizeBytes === 0) {
    return NOTHING;
  }
  return one.numCheckpoints > 1 ? `${formatMemory(one.sizeBytes)} in ${one.numCheckpoints}` : formatMemory(one.sizeBytes);
}
