/**
 * The loss as SVG text, without a DOM: the live drawing outside of JupyterLab and the picture
 * that a saved notebook keeps. What goes into it is numbers, the given colours and escaped marks.
 */

import type { Mark, Point } from '../../wire';
import { escapeHtml } from '../escape';
import { axes, dot, makeFrame, MARGIN, polyline, round, type Frame } from '../svgFrame';
import { lastStepShown, linesOf, type LossData, type PlotColours } from './lossPlot';
import { bestOf } from './model';

/** Of a label's font, about. */
const PIXELS_PER_CHAR = 6;

/** Draw the loss `width` by `height` pixels large, in a box that scales with its container. */
export function lossSvg(
  data: LossData,
  colours: PlotColours,
  size: { readonly width: number; readonly height: number }
): string {
  const lines = linesOf(data);
  const losses = [...data.points, ...data.evalPoints].map(point => point[1]);
  const frame = makeFrame(losses, lastStepShown(data), size);
  const isSmoothed = lines.smoothed.length > 0;
  const parts = [
    axes(frame, colours),
    marks(data.marks ?? [], frame, colours),
    selection(data.selected ?? null, frame, colours),
    polyline(lines.points, frame, colours.train, isSmoothed ? { width: 1, opacity: 0.4 } : {}),
    polyline(lines.smoothed, frame, colours.train),
    polyline(lines.evalPoints, frame, colours.eval, { width: 1.5 }),
    ...lines.evalPoints.map(point => dot(point, frame, colours.eval)),
    star(bestOf(data.evalPoints), frame, colours),
    ...(lines.points.length === 1 ? lines.points.map(p => dot(p, frame, colours.train)) : [])
  ];
  const box = `viewBox="0 0 ${size.width} ${size.height}" width="100%" height="${size.height}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="11"';
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img" ${font} ` +
    `aria-label="${describeLoss(data)}">${parts.join('')}</svg>`
  );
}

/** One sentence for those who do not see the drawing. */
export function describeLoss(data: LossData): string {
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

/** The step at a distance from the left edge of a drawing of this width. */
export function stepAt(data: LossData, width: number, x: number): number {
  const share = (x - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
  return Math.round(Math.min(1, Math.max(0, share)) * lastStepShown(data));
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

function star(best: Point | null, frame: Frame, colours: PlotColours): string {
  if (best === null) {
    return '';
  }
  const [x, y] = [round(frame.x(best[0])), round(frame.y(best[1]))];
  return (
    `<g data-best="${best[0]}"><title>best: ${best[1].toFixed(3)} at step ${best[0]}</title>` +
    `<circle cx="${x}" cy="${y}" r="6.5" fill="none" stroke="${colours.eval}" stroke-width="1.8"/></g>`
  );
}
