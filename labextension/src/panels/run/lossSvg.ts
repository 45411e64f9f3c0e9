/**
 * The loss as SVG text, without a DOM: the live drawing outside of JupyterLab and the picture
 * that a saved notebook keeps. What goes into it is numbers, the given colours and escaped marks.
 */

import type { Mark, Point } from '../../wire';
import { escapeHtml } from './escape';
import { formatCount } from './format';
import { lastStepShown, linesOf, type LossData, type PlotColours } from './lossPlot';
import { bestOf } from './model';

const MARGIN = { left: 46, right: 12, top: 12, bottom: 34 };
const NUM_Y_TICKS = 5;
const PIXELS_PER_X_TICK = 90;
/** Of a label's font, about. */
const PIXELS_PER_CHAR = 6;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly x: (step: number) => number;
  readonly y: (loss: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

/** Draw the loss `width` by `height` pixels large, in a box that scales with its container. */
export function lossSvg(
  data: LossData,
  colours: PlotColours,
  size: { readonly width: number; readonly height: number }
): string {
  const lines = linesOf(data);
  const frame = frameOf(data, size.width, size.height);
  const isSmoothed = lines.smoothed.length > 0;
  const parts = [
    axes(frame, colours),
    marks(data.marks ?? [], frame, colours),
    selection(data.selected ?? null, frame, colours),
    polyline(lines.points, frame, colours.train, isSmoothed ? 1 : 2, isSmoothed ? 0.4 : 1),
    polyline(lines.smoothed, frame, colours.train, 2, 1),
    polyline(lines.evalPoints, frame, colours.eval, 1.5, 1),
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

function frameOf(data: LossData, width: number, height: number): Frame {
  const losses = [...data.points, ...data.evalPoints].map(point => point[1]);
  const low = losses.reduce((a, b) => Math.min(a, b), Infinity);
  const high = losses.reduce((a, b) => Math.max(a, b), -Infinity);
  const [bottom, top] = losses.length > 0 ? padded(low, high) : [0, 1];
  const last = lastStepShown(data);
  const innerWidth = width - MARGIN.left - MARGIN.right;
  const innerHeight = height - MARGIN.top - MARGIN.bottom;
  return {
    width,
    height,
    x: step => MARGIN.left + (step / last) * innerWidth,
    y: loss => MARGIN.top + (1 - (loss - bottom) / (top - bottom)) * innerHeight,
    xTicks: ticks(0, last, Math.max(2, Math.floor(innerWidth / PIXELS_PER_X_TICK))),
    yTicks: losses.length > 0 ? ticks(bottom, top, NUM_Y_TICKS) : []
  };
}

function padded(low: number, high: number): [number, number] {
  const pad = high > low ? 0.06 * (high - low) : Math.max(0.05 * Math.abs(high), 0.01);
  return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = [1, 2, 5, 10].find(factor => factor * power >= raw) ?? 10;
  const step = unit * power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function axes(frame: Frame, colours: PlotColours): string {
  const right = frame.width - MARGIN.right;
  const base = frame.height - MARGIN.bottom;
  const rows = frame.yTicks.map(tick => {
    const y = round(frame.y(tick));
    return (
      `<path d="M${MARGIN.left} ${y}H${right}" stroke="${colours.grid}"/>` +
      `<text x="${MARGIN.left - 6}" y="${y + 4}" text-anchor="end" fill="${colours.muted}">${tick}</text>`
    );
  });
  const columns = frame.xTicks.map(
    tick =>
      `<text x="${round(frame.x(tick))}" y="${base + 15}" text-anchor="middle" ` +
      `fill="${colours.muted}">${formatCount(tick)}</text>`
  );
  const middle = round((MARGIN.left + right) / 2);
  const title = `<text x="${middle}" y="${frame.height - 4}" text-anchor="middle" fill="${colours.muted}">step</text>`;
  const line = `<path d="M${MARGIN.left} ${base}H${right}" stroke="${colours.muted}" opacity="0.6"/>`;
  return rows.join('') + line + columns.join('') + title;
}

function polyline(
  points: readonly Point[],
  frame: Frame,
  colour: string,
  width: number,
  opacity: number
): string {
  if (points.length < 2) {
    return '';
  }
  const path = points.map(([step, loss]) => `${round(frame.x(step))} ${round(frame.y(loss))}`);
  return (
    `<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="${width}" ` +
    `stroke-linejoin="round" opacity="${opacity}"/>`
  );
}

function dot([step, loss]: Point, frame: Frame, colour: string): string {
  return `<circle cx="${round(frame.x(step))}" cy="${round(frame.y(loss))}" r="3.5" fill="${colour}"/>`;
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

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
