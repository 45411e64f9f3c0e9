/** A member as the cells of its row: the same in the live table and in the saved picture. */

import type { Sweep, SweepMember } from '../../sweepWire';
import { formatCount, formatLearningRate, formatLoss, STATE_WORDS } from '../format';

const SHORT_HEADINGS: Readonly<Record<string, string>> = { learning_rate: 'learning rate', batch_size: 'batch' };

/** The headings, of which the second is the adapter's. */
export function headings(sweep: Sweep): string[] {
  const varied = sweep.varied.map(name => SHORT_HEADINGS[name] ?? name.replaceAll('_', ' '));
  return ['#', 'adapter', ...varied, 'step', 'loss', 'held-out', 'state'];
}

/** A member's cells, one for each heading. */
export function cells(sweep: Sweep, one: SweepMember): string[] {
  const step = one.totalSteps > 0 ? `${formatCount(one.step)} of ${formatCount(one.totalSteps)}` : formatCount(one.step);
  const why = { halving: ' (halved)', hand: ' (pruned)', '': '' }[one.prunedBy];
  return [
    String(one.rank),
    one.adapter,
    ...sweep.varied.map(name => formatSetting(one.settings[name])),
    step,
    formatLoss(one.loss),
    formatLoss(one.evalLoss),
    STATE_WORDS[one.state] + why
  ];
}

/** One line about all of them. */
export function sweepLine(sweep: Sweep): string {
  const active = sweep.members.filter(one => !isOver(one.state)).length;
  const said = [`${sweep.members.length} runs`];
  if (active > 0) {
    said.push(`${active} going on`);
  }
  const ahead = sweep.members.find(one => one.rank === 1 && (one.evalLoss ?? one.loss) !== null);
  if (active > 0 && ahead !== undefined) {
    said.push(`ahead is ${ahead.adapter}`);
  } else if (active === 0 && sweep.best !== '') {
    said.push(`best is ${sweep.best}`);
  }
  return said.join(', ');
}

export function isOver(state: string): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}

function formatSetting(value: unknown): string {
  if (typeof value === 'number') {
    return value > 0 && value < 0.01 ? formatLearningRate(value) : String(value);
  }
  return typeof value === 'string' ? value : '';
}
