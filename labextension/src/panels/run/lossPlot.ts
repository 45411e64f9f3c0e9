/** What draws the loss: the interface both drawings have, and what they share. */

import type { Mark, Point } from '../../wire';
import { lastStepOf } from '../svgFrame';
import { thin } from './model';

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

/** Resolved CSS colours, as a drawing library can read them. */
export interface PlotColours {
  readonly train: string;
  readonly eval: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly background: string;
}

export interface LossPlot {
  draw(data: LossData, colours: PlotColours): void;
  /** The host has another width. */
  resize(): void;
  dispose(): void;
}

/** `onPick` is told the step where a person clicked. */
export type CreateLossPlot = (host: HTMLElement, onPick: (step: number) => void) => Promise<LossPlot>;

const MAX_DRAWN_POINTS = 2000;
const MIN_SMOOTHED_POINTS = 50;
/** The moving average reaches over this share of the points, on each side. */
const SMOOTHING_REACH = 1 / 40;

/** The points to draw and, where there are enough, their moving average. */
export function linesOf(data: LossData): {
  readonly points: readonly Point[];
  readonly smoothed: readonly Point[];
  readonly evalPoints: readonly Point[];
} {
  const smoothed = data.points.length < MIN_SMOOTHED_POINTS ? [] : smooth(data.points);
  return {
    points: thin(data.points, MAX_DRAWN_POINTS),
    smoothed: thin(smoothed, MAX_DRAWN_POINTS),
    evalPoints: thin(data.evalPoints, MAX_DRAWN_POINTS)
  };
}

/** Centred moving average: unlike an exponential one it does not lag behind a falling loss. */
function smooth(points: readonly Point[]): Point[] {
  const reach = Math.ceil(points.length * SMOOTHING_REACH);
  const sums = [0];
  for (const [, loss] of points) {
    sums.push((sums.at(-1) ?? 0) + loss);
  }
  return points.map(([step], i) => {
    const side = Math.min(reach, i, points.length - 1 - i);
    const sum = (sums[i + side + 1] ?? 0) - (sums[i - side] ?? 0);
    return [step, sum / (2 * side + 1)];
  });
}

/** The last step of the axis. */
export function lastStepShown(data: LossData): number {
  return lastStepOf(data.points.at(-1)?.[0] ?? 0, data.totalSteps);
}
