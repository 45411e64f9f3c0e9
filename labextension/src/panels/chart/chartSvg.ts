/**
 * A chart as SVG text, without a DOM: the live drawing outside of JupyterLab and the picture that a
 * saved notebook keeps. What goes into it is numbers, the given colours and escaped text.
 */

import type { Mark } from '../../wire';
import { escapeHtml } from '../escape';
import { axes, dot, makeFrame, MARGIN, polyline, round, type Frame, type Size } from '../svgFrame';
import { shownPoints, type Chart, type Curve, type PlotColours } from './chart';

/** Of a label's font, about. */
const PIXELS_PER_CHAR = 6;

/** Draw the chart in a box of this size that scales with its container. */
export function chartSvg(chart: Chart, colours: PlotColours, size: Size): string {
  const curves = chart.curves.map(curve => ({ ...curve, points: shownPoints(curve.points, chart.isLog) }));
  const values = curves.flatMap(curve => curve.points.map(point => point[1]));
  const frame = makeFrame(values, chart.last, size, chart.isLog);
  const parts = [
    axes(frame, colours),
    marks(chart.marks, frame, colours),
    selection(chart.selected, frame, colours),
    ...curves.map(curve => drawn(curve, frame)),
    ring(chart, frame, colours)
  ];
  const box = `viewBox="0 0 ${size.width} ${size.height}" width="100%" height="${size.height}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="11"';
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img" ${font} ` +
    `aria-label="${escapeHtml(chart.label)}">${parts.join('')}</svg>`
  );
}

/** The step at a distance from the left edge of a drawing of this width. */
export function stepAt(last: number, width: number, x: number): number {
  const share = (x - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
  return Math.round(Math.min(1, Math.max(0, share)) * last);
}

function drawn(curve: Curve, frame: Frame): string {
  const line = polyline(curve.points, frame, curve.colour, {
    width: curve.width ?? 2,
    opacity: curve.opacity ?? 1,
    dash: curve.dash ?? ''
  });
  const hasDots = curve.hasDots === true || curve.points.length === 1;
  const shape = line + (hasDots ? curve.points.map(point => dot(point, frame, curve.colour)).join('') : '');
  return curve.id === undefined
    ? shape
    : `<g data-run="${escapeHtml(curve.id)}"><title>${escapeHtml(curve.name)}</title>${shape}</g>`;
}

/** Lines across the plot, with labels where they do not lie over each other. */
function marks(all: readonly Mark[], frame: Frame, colours: PlotColours): string {
  const ends = [-Infinity, -Infinity];
  const right = frame.width - MARGIN.right;
  return all
    .map(mark => {
      const x = round(frame.x(mark.step));
      const width = PIXELS_PER_CHAR * mark.label.length;
      const start = x + 4 + width > right ? x - 4 - width : x + 4;
      const row = ends.findIndex(end => end < start);
      const y = MARGIN.top + 9 + 13 * row;
      const isFaint = mark.kind === 'command';
      const label =
        row === -1 || isFaint ? '' : `<text x="${start}" y="${y}" fill="${colours.muted}">${escapeHtml(mark.label)}</text>`;
      if (label !== '') {
        ends[row] = start + width + 6;
      }
      const isGap = mark.kind === 'interrupted';
      const line =
        `stroke="${isGap ? colours.eval : colours.muted}" stroke-width="${isGap ? 7 : 1}" ` +
        `opacity="${isFaint || isGap ? 0.3 : 0.8}"${isFaint ? ' stroke-dasharray="2 3"' : ''}`;
      const path = `M${x} ${MARGIN.top}V${frame.height - MARGIN.bottom}`;
      // The wide invisible line is what a pointer can meet.
      const reach = `<path d="${path}" stroke="transparent" stroke-width="9"/>`;
      const title = `<title>${escapeHtml(`step ${mark.step}: ${mark.text}`)}</title>`;
      return `<g data-mark="${mark.kind}">${title}<path d="${path}" ${line}/>${reach}${label}</g>`;
    })
    .join('');
}

function selection(step: number | null, frame: Frame, colours: PlotColours): string {
  if (step === null) {
    return '';
  }
  const path = `M${round(frame.x(step))} ${MARGIN.top}V${frame.height - MARGIN.bottom}`;
  return `<path data-selected="${step}" d="${path}" stroke="${colours.train}" stroke-width="1.5" stroke-dasharray="5 3"/>`;
}

function ring({ best, isLog }: Chart, frame: Frame, colours: PlotColours): string {
  if (best === null || (isLog && best[1] <= 0)) {
    return '';
  }
  const [x, y] = [round(frame.x(best[0])), round(frame.y(best[1]))];
  return (
    `<g data-best="${best[0]}"><title>best: ${best[1].toFixed(3)} at step ${best[0]}</title>` +
    `<circle cx="${x}" cy="${y}" r="6.5" fill="none" stroke="${colours.eval}" stroke-width="1.8"/></g>`
  );
}
