/** A curve that is as small as a word. */

import type { Point } from '../wire';

/** A sparkline's line as an SVG path within `width` × `height`; empty for fewer than two points. */
export function sparklinePath(points: readonly Point[], width: number, height: number): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last[0] <= first[0]) {
    return '';
  }
  const losses = points.map(([, loss]) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const x = (step: number) => ((step - first[0]) / (last[0] - first[0])) * width;
  const y = (loss: number) => (high > low ? (1 - (loss - low) / (high - low)) * height : height / 2);
  const places = points.map(([step, loss]) => `${x(step).toFixed(1)} ${y(loss).toFixed(1)}`);
  return `M${places.join('L')}`;
}
