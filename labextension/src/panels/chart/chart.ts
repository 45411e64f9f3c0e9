/** What a plot shows, whatever draws it: curves over steps, marks across them, one selected step. */

import type { Mark, Point } from '../../wire';

export interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
  /** A colour as SVG and canvas read it. */
  readonly colour: string;
  readonly width?: number;
  readonly opacity?: number;
  /** As SVG writes it; empty or absent: without gaps. */
  readonly dash?: string;
  /** A dot at each point. */
  readonly hasDots?: boolean;
  /** Whose curve it is, for pointing at one of several. */
  readonly id?: string;
}

export interface Chart {
  readonly curves: readonly Curve[];
  /** The last step of the axis. */
  readonly last: number;
  readonly isLog: boolean;
  readonly marks: readonly Mark[];
  /** The step that is looked at; null: none. */
  readonly selected: number | null;
  /** A point with a ring around it. */
  readonly best: Point | null;
  /** One sentence for those who do not see the drawing; plain text. */
  readonly label: string;
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

/** Where a pointer is: the step, and pixels from the left edge of the plot. */
export interface Hover {
  readonly step: number;
  readonly left: number;
}

export interface PlotEvents {
  /** A person clicked on a step. */
  onPick(step: number): void;
  /** A pointer is over a step; null: over none. */
  onHover(hover: Hover | null): void;
}

/** Where a plot is drawn; what tests and other code read from the outside. */
export interface PlotHost extends HTMLElement {
  /** Steps of the first curve as it was drawn last. */
  twinkleSteps?: readonly number[];
  /** The newest step of each curve that has an id. */
  twinkleNewest?: Readonly<Record<string, number>>;
}

/** Tell the outside what is drawn. */
export function noteDrawn(host: PlotHost, { curves }: Chart): void {
  host.twinkleSteps = (curves[0]?.points ?? []).map(point => point[0]);
  const named = curves.flatMap(({ id, points }) => (id === undefined ? [] : [[id, points.at(-1)?.[0] ?? 0] as const]));
  const newest: Record<string, number> = {};
  for (const [id, step] of named) {
    newest[id] = Math.max(newest[id] ?? 0, step);
  }
  host.twinkleNewest = newest;
}

export interface Plot {
  draw(chart: Chart, colours: PlotColours): void;
  /** The host has another width. */
  resize(): void;
  dispose(): void;
}

export type CreatePlot = (host: HTMLElement, events: PlotEvents) => Promise<Plot>;

/** The points that the axis can show: a logarithm has none at zero or below. */
export function shownPoints(points: readonly Point[], isLog: boolean): readonly Point[] {
  return isLog ? points.filter(point => point[1] > 0) : points;
}
