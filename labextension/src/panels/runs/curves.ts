/** Several runs as one chart: a line each, and dots for the loss on held-out rows. */

import type { Point } from '../../wire';
import type { Chart, Curve } from '../chart/chart';
import { formatLoss } from '../format';
import type { RunView } from '../run/model';
import { smoothed } from '../run/lossChart';
import { lastStepOf } from '../svgFrame';
import { lookOf } from '../sweep/looks';

/** One row of steps for all curves, about as many as a plot has pixels. */
const MAX_STEPS = 1000;
/** Runs whose numbers are in the sentence for those who do not see the drawing. */
const MAX_TOLD = 8;

export interface CurvesSettings {
  readonly isLog: boolean;
  readonly smoothing: number;
  /** Runs that are left out, by id. */
  readonly hidden: ReadonlySet<string>;
  /** The run that is pointed at; null: none. */
  readonly pointed: string | null;
}

export const ALL_CURVES: CurvesSettings = { isLog: false, smoothing: 0.25, hidden: new Set(), pointed: null };

export function runsChart(views: readonly RunView[], settings: CurvesSettings = ALL_CURVES): Chart {
  const newest = Math.max(0, ...views.map(view => view.step));
  const total = Math.max(0, ...views.map(view => view.totalSteps));
  const last = lastStepOf(newest, total);
  const curves = views.flatMap((view, place): Curve[] => {
    const look = lookOf(place);
    const isHidden = settings.hidden.has(view.runId);
    const isFaint = settings.pointed !== null && settings.pointed !== view.runId;
    const shared = { name: view.adapter, colour: look.colour, id: view.runId, opacity: isFaint ? 0.15 : 1 };
    const line = isHidden ? [] : onGrid(smoothed(view.points, settings.smoothing), last);
    const dots = isHidden ? [] : onGrid(view.evalPoints, last);
    return [
      { ...shared, points: line, dash: look.dash, width: 1.8 },
      { ...shared, points: dots, hasDots: true, width: 0 }
    ];
  });
  return { curves, last, isLog: settings.isLog, marks: [], selected: null, best: null, label: describeRuns(views) };
}

/** One sentence for those who do not see the drawing. */
export function describeRuns(views: readonly RunView[]): string {
  const said = views.slice(0, MAX_TOLD).map(view => `${view.adapter} ${formatLoss(view.points.at(-1)?.[1])} at step ${view.step}`);
  const more = views.length > MAX_TOLD ? `, and ${views.length - MAX_TOLD} more` : '';
  return `Losses of ${views.length} runs over steps: ${said.join(', ')}${more}`;
}

/** The points of every n-th step, the same steps for all curves, and the newest. */
function onGrid(points: readonly Point[], last: number): readonly Point[] {
  const stride = Math.ceil(last / MAX_STEPS);
  return stride <= 1 ? points : points.filter((point, i) => point[0] % stride === 0 || i === points.length - 1);
}
