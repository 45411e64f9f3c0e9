/** What lies over and under uPlot's curves: marks with their labels, the selected step, the best. */

import type uPlotClass from 'uplot';
import type { Mark } from '../../wire';
import type { Chart, PlotColours } from './chart';

const MAX_DRAWN_MARKS = 60;
const ROW_PIXELS = 13;
const RING_PIXELS = 6.5;

/** Marks and the selected step, under the curves. */
export function drawBelow(plot: uPlotClass, chart: Chart, colours: PlotColours): void {
  const { ctx } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
  ctx.clip();
  drawMarks(plot, chart.marks.slice(-MAX_DRAWN_MARKS), colours);
  if (chart.selected !== null) {
    const ratio = ratioOf(plot);
    line(plot, chart.selected, { colour: colours.train, width: 1.5 * ratio, dash: [5 * ratio, 3 * ratio], alpha: 1 });
  }
  ctx.restore();
}

/** A ring around the best point, over the curves. */
export function drawRing(plot: uPlotClass, { best, isLog }: Chart, colours: PlotColours): void {
  if (best === null || (isLog && best[1] <= 0)) {
    return;
  }
  const { ctx } = plot;
  const ratio = ratioOf(plot);
  ctx.save();
  ctx.strokeStyle = colours.eval;
  ctx.lineWidth = 1.8 * ratio;
  ctx.beginPath();
  ctx.arc(plot.valToPos(best[0], 'x', true), plot.valToPos(best[1], 'y', true), RING_PIXELS * ratio, 0, 2 * Math.PI);
  ctx.stroke();
  ctx.restore();
}

function drawMarks(plot: uPlotClass, marks: readonly Mark[], colours: PlotColours): void {
  const { ctx } = plot;
  const ratio = ratioOf(plot);
  const ends = [-Infinity, -Infinity];
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  for (const mark of marks) {
    const isGap = mark.kind === 'interrupted';
    const isFaint = mark.kind === 'command';
    line(plot, mark.step, {
      colour: isGap ? colours.eval : colours.muted,
      width: (isGap ? 7 : 1) * ratio,
      dash: isFaint ? [2 * ratio, 3 * ratio] : [],
      alpha: isGap || isFaint ? 0.3 : 0.8
    });
    const x = plot.valToPos(mark.step, 'x', true);
    const width = ctx.measureText(mark.label).width;
    const start = x + 4 * ratio + width > plot.bbox.left + plot.bbox.width ? x - 4 * ratio - width : x + 4 * ratio;
    const row = isFaint ? -1 : ends.findIndex(end => end < start);
    if (row !== -1) {
      ends[row] = start + width + 6 * ratio;
      ctx.fillStyle = colours.muted;
      ctx.fillText(mark.label, start, plot.bbox.top + ROW_PIXELS * ratio * row);
    }
  }
}

interface Stroke {
  readonly colour: string;
  readonly width: number;
  readonly dash: number[];
  readonly alpha: number;
}

function line(plot: uPlotClass, step: number, stroke: Stroke): void {
  const { ctx } = plot;
  const x = Math.round(plot.valToPos(step, 'x', true));
  ctx.globalAlpha = stroke.alpha;
  ctx.strokeStyle = stroke.colour;
  ctx.lineWidth = stroke.width;
  ctx.setLineDash(stroke.dash);
  ctx.beginPath();
  ctx.moveTo(x, plot.bbox.top);
  ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

/** Canvas pixels in a pixel of the page. */
function ratioOf(plot: uPlotClass): number {
  return plot.ctx.canvas.width / Math.max(1, plot.width);
}
