/** A member as the cells of its row: the same in the live table and in the saved picture. */

import type { Sweep, SweepMember } from '../../sweepWire';
import { sortedBy, type Column } from '../columns';
import { formatCount, formatDuration, formatLearningRate, formatLoss, STATE_WORDS } from '../format';
import { isOver } from '../run/model';

const SHORT_HEADINGS: Readonly<Record<string, string>> = { learning_rate: 'learning rate', batch_size: 'batch' };

/** The columns, of which the second is the adapter's. */
export function columnsOf(sweep: Sweep): readonly Column<SweepMember>[] {
  const varied = sweep.varied.map(
    (name): Column<SweepMember> => ({
      heading: SHORT_HEADINGS[name] ?? name.replaceAll('_', ' '),
      text: one => formatSetting(one.settings[name]),
      key: one => settingKey(one.settings[name])
    })
  );
  return [
    { heading: '#', text: one => (isAhead(one) ? `${one.rank} ★` : String(one.rank)), key: one => one.rank },
    { heading: 'adapter', text: one => one.adapter, key: one => one.adapter },
    ...varied,
    { heading: 'step', text: stepOf, key: one => one.step },
    { heading: 'loss', text: one => formatLoss(one.loss), key: one => one.loss },
    { heading: 'held-out', text: one => formatLoss(one.evalLoss), key: one => one.evalLoss },
    { heading: 'state', text: stateOf, key: one => STATE_WORDS[one.state] },
    { heading: 'left', text: one => formatDuration(secondsLeft(one)), key: secondsLeft }
  ];
}

/** The headings, of which the second is the adapter's. */
export function headings(sweep: Sweep): string[] {
  return columnsOf(sweep).map(column => column.heading);
}

/** A member's cells, one for each heading. */
export function cells(sweep: Sweep, one: SweepMember): string[] {
  return columnsOf(sweep).map(column => column.text(one));
}

/** The members in another order; of what is alike, the better one comes first. */
export function sorted(members: readonly SweepMember[], column: Column<SweepMember>, isDescending: boolean): readonly SweepMember[] {
  return sortedBy(members, column, isDescending, (a, b) => a.rank - b.rank);
}

/** Seconds until a member's last step at the present pace; null where that says nothing. */
export function secondsLeft(one: SweepMember): number | null {
  if (one.state !== 'running' || one.totalSteps === 0 || one.secondsPerStep === null) {
    return null;
  }
  return Math.max(0, one.totalSteps - one.step) * one.secondsPerStep;
}

/** One line about all of them. */
export function sweepLine(sweep: Sweep): string {
  const active = sweep.members.filter(one => !isOver(one.state));
  const said = [`${sweep.members.length} runs`];
  if (active.length > 0) {
    said.push(`${active.length} going on`);
    const left = Math.max(...active.map(one => secondsLeft(one) ?? NaN));
    // One that is paused or has only begun makes the end unknown.
    if (Number.isFinite(left)) {
      said.push(`about ${formatDuration(left)} left`);
    }
  }
  const ahead = sweep.members.find(isAhead);
  if (active.length > 0 && ahead !== undefined) {
    said.push(`ahead is ${ahead.adapter}`);
  } else if (active.length === 0 && sweep.best !== '') {
    said.push(`best is ${sweep.best}`);
  }
  return said.join(', ');
}

function isAhead(one: SweepMember): boolean {
  return one.rank === 1 && (one.evalLoss ?? one.loss) !== null;
}

function stepOf(one: SweepMember): string {
  return one.totalSteps > 0 ? `${formatCount(one.step)} of ${formatCount(one.totalSteps)}` : formatCount(one.step);
}

function stateOf(one: SweepMember): string {
  return STATE_WORDS[one.state] + { halving: ' (halved)', hand: ' (pruned)', '': '' }[one.prunedBy];
}

function settingKey(value: unknown): number | string | null {
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}

function formatSetting(value: unknown): string {
  if (typeof value === 'number') {
    return value > 0 && value < 0.01 ? formatLearningRate(value) : String(value);
  }
  return typeof value === 'string' ? value : '';
}
