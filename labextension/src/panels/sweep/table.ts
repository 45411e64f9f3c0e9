/**
 * The members, live: rows keep their elements, so that what is focused or pointed at stays so, and
 * nothing changes its place under a pointer.
 */

import type { MemberAction, Sweep, SweepMember } from '../../sweepWire';
import { button } from '../button';
import { element, setText } from '../dom';
import { isOver } from '../run/model';
import { SortHead } from '../sortHead';
import { curveTick } from '../swatch';
import { columnsOf, sorted } from './cells';
import { looksOf } from './looks';

interface Row {
  readonly node: HTMLTableRowElement;
  readonly tick: HTMLInputElement;
  /** All but the adapter's, which has the tick. */
  readonly cells: readonly (HTMLElement | null)[];
  readonly pause: HTMLButtonElement;
  readonly prune: HTMLButtonElement;
  /** The state in which pausing or going on was asked for, while that has not changed; else null. */
  askedIn: SweepMember['state'] | null;
}

export interface TableEvents {
  /** End a member early, by run id. */
  onPrune(runId: string): void;
  /** Resolves once it is taken or refused. */
  onMember(runId: string, action: MemberAction): Promise<boolean>;
  /** A member is pointed at or focused; null: none. */
  onPoint(runId: string | null): void;
  /** Other curves are wanted. */
  onTick(): void;
}

const ADAPTER_COLUMN = 1;

export class RankingTable {
  readonly node: HTMLElement;
  private readonly head = new SortHead({ column: 0, isDescending: false }, () => this.order(true));
  private readonly body = element('tbody', '');
  private readonly rows = new Map<string, Row>();
  private sweep: Sweep | null = null;

  constructor(private readonly events: TableEvents) {
    const table = element('table', 'jp-twinkle-ranking', {}, element('thead', '', {}, this.head.node), this.body);
    this.node = element('div', 'jp-twinkle-ranking-frame', { tabindex: '0', role: 'group', 'aria-label': 'Members' }, table);
    this.body.onpointerleave = () => this.order(false);
  }

  /** Ids of the runs whose curves are not wanted. */
  get hidden(): ReadonlySet<string> {
    return new Set([...this.rows].filter(([, row]) => !row.tick.checked).map(([runId]) => runId));
  }

  show(sweep: Sweep, canSteer: boolean): void {
    this.sweep = sweep;
    const columns = columnsOf(sweep);
    if (this.head.show(columns.map(column => column.heading), 1)) {
      this.rows.clear();
      this.body.replaceChildren();
    }
    for (const one of sweep.members) {
      const row = this.rowOf(sweep, one);
      columns.forEach((column, i) => {
        const cell = row.cells[i];
        if (cell !== null && cell !== undefined) {
          setText(cell, column.text(one));
        }
      });
      row.node.dataset['state'] = one.state;
      row.node.dataset['rank'] = String(one.rank);
      showButtons(row, one, canSteer);
    }
    this.order(this.body.children.length !== sweep.members.length);
  }

  private rowOf(sweep: Sweep, one: SweepMember): Row {
    const known = this.rows.get(one.runId);
    if (known !== undefined) {
      return known;
    }
    const look = looksOf(sweep).get(one.runId) ?? { colour: '', dash: '' };
    const { node: label, tick } = curveTick(one.adapter, one.runId, look);
    tick.onchange = () => this.events.onTick();
    const columns = columnsOf(sweep).map((_, i) =>
      i === ADAPTER_COLUMN ? element('td', '', {}, label) : element('td', '')
    );
    const pause = button('pause', 'Pause');
    const prune = button('prune', 'Prune');
    prune.setAttribute('aria-label', `Prune ${one.adapter}`);
    prune.onclick = () => this.events.onPrune(one.runId);
    const actions = element('td', 'jp-twinkle-row-actions', {}, pause, ' ', prune);
    const node = element('tr', '', { 'data-run': one.runId }, ...columns, actions);
    node.onpointerenter = () => this.events.onPoint(one.runId);
    node.onpointerleave = () => this.events.onPoint(null);
    node.addEventListener('focusin', () => this.events.onPoint(one.runId));
    node.addEventListener('focusout', () => this.events.onPoint(null));
    const cells = columns.map((cell, i) => (i === ADAPTER_COLUMN ? null : cell));
    const row: Row = { node, tick, cells, pause, prune, askedIn: null };
    pause.onclick = () => void this.steer(one.runId, row);
    this.rows.set(one.runId, row);
    return row;
  }

  private async steer(runId: string, row: Row): Promise<void> {
    const action = row.pause.dataset['action'] === 'resume' ? 'resume' : 'pause';
    row.askedIn = this.sweep?.members.find(one => one.runId === runId)?.state ?? null;
    row.pause.disabled = true;
    setText(row.pause, '…');
    if (!(await this.events.onMember(runId, action))) {
      row.askedIn = null;
    }
  }

  /** Put the rows into their order; by themselves they do not move while a person is at them. */
  private order(isAsked: boolean): void {
    const { sweep } = this;
    const isHeld = this.body.matches(':hover') || this.body.contains(document.activeElement);
    if (sweep === null || (isHeld && !isAsked)) {
      return;
    }
    const { column, isDescending } = this.head.order;
    const by = columnsOf(sweep)[column] ?? columnsOf(sweep)[0];
    const members = by === undefined ? sweep.members : sorted(sweep.members, by, isDescending);
    const rows = members.flatMap(one => this.rows.get(one.runId)?.node ?? []);
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

function showButtons(row: Row, one: SweepMember, canSteer: boolean): void {
  const { pause, prune } = row;
  row.askedIn = row.askedIn === one.state ? row.askedIn : null;
  const canPause = one.state === 'running' || one.state === 'queued';
  const action = one.state === 'paused' ? 'resume' : 'pause';
  const label = action === 'resume' ? 'Resume' : 'Pause';
  setText(pause, row.askedIn === null ? label : '…');
  pause.dataset['action'] = action;
  pause.setAttribute('aria-label', `${label} ${one.adapter}`);
  prune.disabled = !canSteer;
  pause.disabled = !canSteer || row.askedIn !== null;
  prune.hidden = isOver(one.state) || one.prunedBy !== '';
  pause.hidden = prune.hidden || !(canPause || action === 'resume');
}
