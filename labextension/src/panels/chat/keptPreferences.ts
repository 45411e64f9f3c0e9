/**
 * The preferences that a chat has kept: a vote that changes takes back the rows that it made before,
 * and none is kept twice.
 */

import { isFields, text } from '../../fields';
import type { Asker } from '../asker';
import type { Preference } from './preferences';

export class KeptPreferences {
  /** The rows that are kept as JSON, by the turn whose votes made them. */
  private readonly byTurn = new Map<object, ReadonlySet<string>>();
  private newest: Promise<unknown> = Promise.resolve();

  constructor(private readonly asker: Asker) {}

  /** Keep of a turn what its votes make now, one call after another; resolves to a sentence, empty where nothing changed. */
  keep(turn: object, made: readonly Preference[]): Promise<string> {
    const kept = this.newest.then(() => this.change(turn, new Set(made.map(row => JSON.stringify(row)))));
    this.newest = kept.catch(() => undefined);
    return kept;
  }

  private async change(turn: object, made: ReadonlySet<string>): Promise<string> {
    const before = this.byTurn.get(turn) ?? new Set<string>();
    const others = this.except(turn);
    const added = [...made].filter(row => !before.has(row) && !others.has(row));
    const takenBack = [...before].filter(row => !made.has(row) && !others.has(row));
    if (added.length + takenBack.length > 0) {
      const kept = await this.asker.ask('keep', { rows: added.map(parsed), taken_back: takenBack.map(parsed) });
      this.byTurn.set(turn, made);
      return said(new Set([...others, ...made]).size, isFields(kept) ? text(kept['path']) : '');
    }
    this.byTurn.set(turn, made);
    return '';
  }

  /** What other turns' votes made. */
  private except(turn: object): ReadonlySet<string> {
    return new Set([...this.byTurn].flatMap(([other, rows]) => (other === turn ? [] : [...rows])));
  }
}

function parsed(row: string): unknown {
  return JSON.parse(row);
}

function said(count: number, path: string): string {
  switch (count) {
    case 0:
      return `The preference is no longer in ${path}`;
    case 1:
      return `1 preference is in ${path}`;
    default:
      return `${count} preferences are in ${path}`;
  }
}
