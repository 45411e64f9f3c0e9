/** Curves with steps of their own as uPlot reads them: one row of steps, and a value or a gap each. */

import type { AlignedData } from 'uplot';
import { shownPoints, type Curve } from './chart';

export function alignCurves(curves: readonly Curve[], isLog: boolean): AlignedData {
  const all = curves.map(curve => shownPoints(curve.points, isLog));
  const steps = Float64Array.from(new Set(all.flatMap(points => points.map(point => point[0])))).sort();
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
  return [Array.from(steps), ...rows];
}
