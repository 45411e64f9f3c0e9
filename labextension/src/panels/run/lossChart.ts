/** What the plot of a run shows: the loss, or another curve of it, as a chart. */

import type { Mark, Point } from '../../wire';
import type { Chart, Curve, PlotColours } from '../chart/chart';
import { lastStepOf } from '../svgFrame';
import { bestOf, thin } from './model';

export interface LossData {
  readonly points: readonly Point[];
  readonly evalPoints: readonly Point[];
  /** 0 while it is not known. */
  readonly totalSteps: number;
  /** What happened along the way. */
  readonly marks?: readonly Mark[];
  /** The step whose answers are shown; null or absent: the newest. */
  readonly selected?: number | null;
}

/** How a person wants to see it. */
export interface PlotSettings {
  readonly curve: CurveName;
  readonly isLog: boolean;
  /** 0: no moving average; 1: over a tenth of the points, on each side. */
  readonly smoothing: number;
}

export const CURVE_NAMES = {
  loss: 'Loss',
  learning_rate: 'Learning rate',
  tokens_per_second: 'Tokens per second',
  grad_norm: 'Gradient norm'
} as const;

export type CurveName = keyof typeof CURVE_NAMES;

export const FIRST_SETTINGS: PlotSettings = { curve: 'loss', isLog: false, smoothing: 0.25 };

/** More would be thinned by the drawing anyway, and is more than a screen is wide. */
const MAX_DRAWN_POINTS = 4000;
const MIN_SMOOTHED_POINTS = 50;
const MOST_REACH = 1 / 10;

/** The points to draw and, where there are enough, their moving average. */
export function linesOf(
  data: Pick<LossData, 'points' | 'evalPoints'>,
  smoothing = FIRST_SETTINGS.smoothing
): { readonly points: readonly Point[]; readonly smoothed: readonly Point[]; readonly evalPoints: readonly Point[] } {
  const average = smoothed(data.points, smoothing);
  return {
    points: thin(data.points, MAX_DRAWN_POINTS),
    smoothed: average === data.points ? [] : thin(average, MAX_DRAWN_POINTS),
    evalPoints: thin(data.evalPoints, MAX_DRAWN_POINTS)
  };
}

/** Their moving average; the points themselves where they are few, or none is wanted. */
export function smoothed(points: readonly Point[], smoothing: number): readonly Point[] {
  return smoothing > 0 && points.length >= MIN_SMOOTHED_POINTS ? smooth(points, smoothing * MOST_REACH) : points;
}

/** Centred moving average: unlike an exponential one it does not lag behind a falling loss. */
export function smooth(points: readonly Point[], share: number): Point[] {
  const reach = Math.ceil(points.length * share);
  const sums = new Float64Array(points.length + 1);
  let sum = 0;
  points.forEach((point, i) => {
    sum += point[1];
    sums[i + 1] = sum;
  });
  return points.map((point, i) => {
    const side = Math.min(reach, i, points.length - 1 - i);
    return [point[0], ((sums[i + side + 1] ?? 0) - (sums[i - side] ?? 0)) / (2 * side + 1)];
  });
}

/** The loss as a chart; the first curve has every point as it is. */
export function lossChart(data: LossData, colours: PlotColours, settings: PlotSettings = FIRST_SETTINGS): Chart {
  const lines = linesOf(data, settings.smoothing);
  const isSmoothed = lines.smoothed.length > 0;
  const faint = isSmoothed ? { width: 1, opacity: 0.4 } : {};
  const curves: Curve[] = [
    { name: 'train', points: lines.points, colour: colours.train, ...faint },
    { name: 'train, smoothed', points: lines.smoothed, colour: colours.train },
    { name: 'held-out', points: lines.evalPoints, colour: colours.eval, width: 1.5, hasDots: true }
  ];
  return { ...frameOf(data, settings), curves, best: bestOf(data.evalPoints), label: describeLoss(data) };
}

/** Another curve of a run as a chart. */
export function curveChart(points: readonly Point[], data: LossData, colours: PlotColours, settings: PlotSettings): Chart {
  const lines = linesOf({ points, evalPoints: [] }, settings.curve === 'learning_rate' ? 0 : settings.smoothing);
  const faint = lines.smoothed.length > 0 ? { width: 1, opacity: 0.4 } : {};
  const newest = points.at(-1);
  const name = CURVE_NAMES[settings.curve];
  const label = newest === undefined ? `${name} over steps, no point yet` : `${name} over steps; newest ${newest[1]} at step ${newest[0]}`;
  const curves: Curve[] = [
    { name, points: lines.points, colour: colours.train, ...faint },
    { name: `${name}, smoothed`, points: lines.smoothed, colour: colours.train },
    { name: '', points: [], colour: colours.eval }
  ];
  return { ...frameOf(data, settings), curves, best: null, label };
}

function frameOf(data: LossData, { isLog }: PlotSettings) {
  return { last: lastStepShown(data), isLog, marks: data.marks ?? [], selected: data.selected ?? null };
}

/** The last step of the axis. */
export function lastStepShown(data: Pick<LossData, 'points' | 'totalSteps'>): number {
  return lastStepOf(data.points.at(-1)?.[0] ?? 0, data.totalSteps);
}

/** One sentence for those who do not see the drawing. */
export function describeLoss(data: Pick<LossData, 'points' | 'evalPoints'>): string {
  const newest = data.points.at(-1);
  if (newest === undefined) {
    return 'Loss over steps, no point yet';
  }
  const said = `Loss over steps; newest ${newest[1].toFixed(3)} at step ${newest[0]}`;
  const newestEval = data.evalPoints.at(-1);
  return newestEval === undefined
    ? said
    : `${said}; on held-out rows ${newestEval[1].toFixed(3)} at step ${newestEval[0]}`;
}
