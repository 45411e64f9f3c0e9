/** A sweep as one chart: a line a member, dots for the loss on held-out rows, a ring at the best. */

import type { Sweep, SweepMember } from '../../sweepWire';
import type { Point } from '../../wire';
import type { Chart, Curve } from '../chart/chart';
import type { Said } from '../chart/manyPlot';
import { formatLoss } from '../format';
import { smoothed } from '../run/lossChart';
import { bestOf } from '../run/model';
import { lastStepOf } from '../svgFrame';
import { looksOf } from './looks';

const FAINT = 0.12;
const MAX_TOLD = 12;

export interface SweepChartSettings {
  readonly isLog: boolean;
  readonly smoothing: number;
  /** Runs that are left out, by id. */
  readonly hidden: ReadonlySet<string>;
  /** The run that is pointed at; null: none. */
  readonly pointed: string | null;
}

export const WHOLE_SWEEP: SweepChartSettings = { isLog: false, smoothing: 0, hidden: new Set(), pointed: null };

export function sweepChart(sweep: Sweep, settings: SweepChartSettings = WHOLE_SWEEP): Chart {
  const newest = Math.max(0, ...sweep.members.map(one => one.step));
  const total = Math.max(0, ...sweep.members.map(one => one.totalSteps));
  const looks = looksOf(sweep);
  const curves = sweep.members.flatMap((one): Curve[] => {
    const look = looks.get(one.runId) ?? { colour: 'gray', dash: '' };
    const isHidden = settings.hidden.has(one.runId);
    const isFaint = settings.pointed !== null && settings.pointed !== one.runId;
    const shared = { name: one.adapter, colour: look.colour, id: one.runId, opacity: isFaint ? FAINT : 1 };
    const isOnTop = settings.pointed === null ? one.rank === 1 : !isFaint;
    return [
      { ...shared, points: isHidden ? [] : smoothed(one.points, settings.smoothing), dash: look.dash, width: isOnTop ? 2.6 : 1.4 },
      { ...shared, points: isHidden ? [] : one.evalPoints, hasDots: true, width: 0 }
    ];
  });
  const ahead = sweep.members.find(one => one.rank === 1 && !settings.hidden.has(one.runId));
  return {
    curves,
    last: lastStepOf(newest, total),
    isLog: settings.isLog,
    marks: [],
    selected: null,
    best: ahead === undefined ? null : bestOf(ahead.evalPoints),
    label: describeSweep(sweep)
  };
}

/** One sentence for those who do not see the drawing. */
export function describeSweep(sweep: Sweep): string {
  const ahead = sweep.members.find(one => one.rank === 1);
  const said = `Losses of ${sweep.members.length} runs over steps`;
  const loss = ahead?.evalLoss ?? ahead?.loss ?? null;
  return ahead === undefined || loss === null ? said : `${said}; ahead is ${ahead.adapter} with ${formatLoss(loss)}`;
}

/** The members' losses by a step, the lowest first; curves are thinned, hence the newest by then. */
export function sweepSaidAt(sweep: Sweep, step: number): Said {
  const told = sweep.members.flatMap(one => {
    const point = newestBy(one, step);
    return point === undefined ? [] : [[one.adapter, point[1]] as const];
  });
  told.sort((a, b) => a[1] - b[1]);
  const lines = told.slice(0, MAX_TOLD).map(([name, loss]) => [name, formatLoss(loss)] as const);
  const rest = told.length - lines.length;
  return [['Step', String(step)], ...lines, ...(rest > 0 ? [['and', `${rest} more`] as const] : [])];
}

function newestBy(one: SweepMember, step: number): Point | undefined {
  return step > one.step ? undefined : one.points.filter(point => point[0] <= step).at(-1);
}
