/** Curves with steps of their own as uPlot reads them: one row of steps, and a value or a gap each. */

import type { AlignedData } from 'uplot';
import { shownPoints, type Curve } from './chart';

export function alignCurves(curves: readonly Curve[], isLog: boolean): AlignedData {
  const all = curves.map(curve => shownPoints(curve.points, isLog));
  const steps = unionOf(all.map(points => points.map(point => point[0])));
  const rows = all.map(points => {
    const row: (number | null)[] = new Array<number | null>(steps.length).fill(null);
    let place = 0;
    for (const [step, value] of points) {
      while ((steps[place] ?? Infinity) < step) {
        place += 1;
      }
      row[place] = value;
    }
    return row;
  });
  return [steps, ...rows];
}

/** Steps are whole and few: a table of those that there are is faster than a set, and sorted. */
function unionOf(all: readonly (readonly number[])[]): number[] {
  const last = all.reduce((most, steps) => Math.max(most, steps.at(-1) ?? 0), 0);
  const isThere = new Uint8Array(last + 1);
  for (const steps of all) {
    for (const step of steps) {
      isThere[step] = 1;
    }
  }
  const union: number[] = [];
  isThere.forEach((there, step) => {
    if (there === 1) {
      union.push(step);
    }
  });
  return union;
}
