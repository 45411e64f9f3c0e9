/** The ranking, live: rows keep their elements, so that what is focused or pointed at stays so. */

import type { Sweep, SweepMember } from '../../sweepWire';
import { button } from '../button';
import { element, setText } from '../dom';
import { cells, headings, isOver } from './cells';
import type { Look } from './looks';

interface Row {
  readonly node: HTMLTableRowElement;
  readonly mark: HTMLElement;
  readonly cells: readonly HTMLElement[];
  readonly prune: HTMLButtonElement;
}

export class RankingTable {
  readonly node: HTMLElement;
  private readonly head = element('tr', '');
  private readonly body = element('tbody', '');
  private readonly rows = new Map<string, Row>();
  private shown: readonly string[] = [];

  /**
   * @param onPrune Ends a member, by run id.
   * @param onPoint A member is pointed at or focused; null: none.
   */
  constructor(
    private readonly onPrune: (runId: string) => void,
    private readonly onPoint: (runId: string | null) => void
  ) {
    const table = element('table', 'jp-twinkle-ranking', {}, element('thead', '', {}, this.head), this.body);
    this.node = element('div', 'jp-twinkle-ranking-frame', {}, table);
  }

  show(sweep: Sweep, looks: ReadonlyMap<string, Look>, canSteer: boolean): void {
    const names = headings(sweep);
    if (names.join('\n') !== this.shown.join('\n')) {
      this.shown = names;
      this.rows.clear();
      this.body.replaceChildren();
      this.head.replaceChildren(...[...names, ''].map(name => element('th', '', { scope: 'col' }, name)));
    }
    const ranked = [...sweep.members].sort((a, b) => a.rank - b.rank);
    const rows = ranked.map(one => {
      const row = this.rowOf(one);
      setText(row.mark, '●');
      row.mark.style.color = looks.get(one.runId)?.colour ?? '';
      cells(sweep, one).forEach((text, i) => setText(row.cells[i] ?? row.node, text));
      row.node.dataset['state'] = one.state;
      row.node.dataset['rank'] = String(one.rank);
      row.prune.disabled = !canSteer;
      row.prune.hidden = isOver(one.state) || one.prunedBy !== '';
      return row.node;
    });
    this.order(rows);
  }

  private rowOf(one: SweepMember): Row {
    const known = this.rows.get(one.runId);
    if (known !== undefined) {
      return known;
    }
    const mark = element('span', 'jp-twinkle-curve-mark', { 'aria-hidden': 'true' });
    const texts = this.shown.map(() => element('span', ''));
    const prune = button('prune', 'Prune');
    prune.setAttribute('aria-label', `Prune ${one.adapter}`);
    prune.onclick = () => this.onPrune(one.runId);
    const columns = texts.map((text, i) => element('td', '', {}, ...(i === 1 ? [mark, text] : [text])));
    const node = element('tr', '', { 'data-run': one.runId }, ...columns, element('td', '', {}, prune));
    node.onpointerenter = () => this.onPoint(one.runId);
    node.onpointerleave = () => this.onPoint(null);
    prune.onfocus = () => this.onPoint(one.runId);
    prune.onblur = () => this.onPoint(null);
    const row = { node, mark, cells: texts, prune };
    this.rows.set(one.runId, row);
    return row;
  }

  /** Put the rows into this order; moving one that has the focus would take it away. */
  private order(rows: readonly HTMLTableRowElement[]): void {
    const isSame = rows.length === this.body.children.length && rows.every((row, i) => row === this.body.children[i]);
    if (isSame) {
      return;
    }
    const focused = document.activeElement;
    this.body.replaceChildren(...rows);
    if (focused instanceof HTMLElement && this.body.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }
}
