/** All curves of a sweep as SVG text, without a DOM: training as lines, held-out loss as dots. */

import type { Sweep, SweepMember } from '../../sweepWire';
import { escapeHtml } from '../escape';
import { formatLoss } from '../format';
import { axes, dot, lastStepOf, makeFrame, polyline, type AxisColours, type Frame, type Size } from '../svgFrame';
import { looksOf, type Look } from './looks';

/** Draw the curves `size` pixels large, in a box that scales with its container. */
export function curvesSvg(sweep: Sweep, colours: AxisColours, size: Size): string {
  const losses = sweep.members.flatMap(one => [...one.points, ...one.evalPoints].map(point => point[1]));
  const newest = Math.max(0, ...sweep.members.map(one => one.step));
  const total = Math.max(0, ...sweep.members.map(one => one.totalSteps));
  const frame = makeFrame(losses, lastStepOf(newest, total), size);
  const looks = looksOf(sweep);
  // The best comes last, above the others.
  const curves = [...sweep.members]
    .sort((a, b) => b.rank - a.rank)
    .map(one => curve(one, frame, looks.get(one.runId) ?? { colour: 'currentColor', dash: '' }));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="100%" ` +
    `height="${size.height}" role="img" font-family="system-ui, sans-serif" font-size="11" ` +
    `aria-label="${escapeHtml(describeCurves(sweep))}">${axes(frame, colours)}${curves.join('')}</svg>`
  );
}

/** One sentence for those who do not see the drawing. */
export function describeCurves(sweep: Sweep): string {
  const ahead = sweep.members.find(one => one.rank === 1);
  const said = `Losses of ${sweep.members.length} runs over steps`;
  const loss = ahead?.evalLoss ?? ahead?.loss ?? null;
  return ahead === undefined || loss === null ? said : `${said}; ahead is ${ahead.adapter} with ${formatLoss(loss)}`;
}

function curve(one: SweepMember, frame: Frame, { colour, dash }: Look): string {
  const stroke = { width: one.rank === 1 ? 2.5 : 1.3, dash };
  const dots = one.evalPoints.map(point => dot(point, frame, colour)).join('');
  const single = one.points.length === 1 ? one.points.map(point => dot(point, frame, colour)).join('') : '';
  const title = `<title>${escapeHtml(one.adapter)}</title>`;
  return `<g data-run="${escapeHtml(one.runId)}">${title}${polyline(one.points, frame, colour, stroke)}${single}${dots}</g>`;
}
