/**
 * A chart drawn by uPlot on a canvas: a lazy chunk of the bundle, which thins every curve to the
 * pixels of the plot while it draws. A drag zooms in, a double click out again; new points leave
 * the zoom as it is.
 */

import type uPlotClass from 'uplot';
import { formatCount } from '../format';
import { alignCurves } from './align';
import { noteDrawn, type Chart, type CreatePlot, type Plot, type PlotColours, type PlotEvents, type PlotHost } from './chart';
import { drawBelow, drawRing } from './overCanvas';

const FONT = '11px system-ui, sans-serif';
const MIN_DRAG = 4;
/** In a zoomed plot a click may be the first of a double click, which zooms out and picks nothing. */
const DOUBLE_CLICK_MS = 350;
/** uPlot's enumerations are types only, hence a number. */
const LOGARITHMIC: object = { distr: 3 };

type Uplot = typeof uPlotClass;

class UplotPlot implements Plot {
  private plot: uPlotClass | null = null;
  private shape = '';
  private chart: Chart | null = null;
  private colours: PlotColours | null = null;
  private zoom: readonly [number, number] | null = null;
  private pressedAt = 0;
  private pick: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly host: PlotHost,
    private readonly library: Uplot,
    private readonly events: PlotEvents
  ) {}

  draw(chart: Chart, colours: PlotColours): void {
    this.chart = chart;
    this.colours = colours;
    const shape = `${chart.curves.length} ${String(chart.isLog)}`;
    const data = alignCurves(chart.curves, chart.isLog);
    noteDrawn(this.host, chart);
    if (this.plot === null || this.shape !== shape) {
      this.plot?.destroy();
      this.shape = shape;
      this.plot = new this.library(this.options(chart), data, this.host);
      return;
    }
    const plot = this.plot;
    chart.curves.forEach((curve, place) => {
      // Read at each drawing: a curve is pointed at, or has come to the top.
      Object.assign(plot.series[place + 1] ?? {}, { alpha: curve.opacity ?? 1, width: curve.width ?? 2 });
    });
    plot.batch(() => {
      plot.setData(data, false);
      this.applyRange(plot);
      plot.redraw(true, true);
    });
  }

  resize(): void {
    if (this.plot !== null && this.host.clientWidth > 0) {
      this.plot.setSize({ width: this.host.clientWidth, height: this.host.clientHeight });
    }
  }

  dispose(): void {
    clearTimeout(this.pick);
    this.plot?.destroy();
    this.plot = null;
  }

  private applyRange(plot: uPlotClass): void {
    const [min, max] = this.zoom ?? [0, this.chart?.last ?? 1];
    plot.setScale('x', { min, max });
  }

  private options(chart: Chart): uPlotClass.Options {
    return {
      width: Math.max(1, this.host.clientWidth),
      height: Math.max(1, this.host.clientHeight),
      legend: { show: false },
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, range: (_, min, max) => (this.zoom === null ? [0, this.chart?.last ?? 1] : [min, max]) },
        y: chart.isLog ? LOGARITHMIC : {}
      },
      axes: [this.axis(true, formatCount), this.axis(false, tickText)],
      series: [{}, ...chart.curves.map((_, place) => this.series(place, chart))],
      cursor: {
        y: false,
        points: { size: 7 },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: plot => () => this.leaveZoom(plot) }
      },
      hooks: {
        ready: [plot => this.listen(plot)],
        setSelect: [plot => this.enterZoom(plot)],
        setCursor: [plot => this.tellHover(plot)],
        drawAxes: [plot => this.drawOver(drawBelow, plot)],
        draw: [plot => this.drawOver(drawRing, plot)]
      }
    };
  }

  private axis(isX: boolean, text: (value: number) => string): uPlotClass.Axis {
    return {
      stroke: () => this.colours?.muted ?? 'gray',
      font: FONT,
      grid: { show: !isX, stroke: () => this.colours?.grid ?? 'gray', width: 1 },
      ticks: { show: false },
      // On a logarithmic scale uPlot has null for what it labels not.
      values: (_, splits: readonly (number | null)[]) =>
        splits.map(value => (value === null || (isX && !Number.isInteger(value)) ? '' : text(value))),
      ...(isX ? { size: 22, gap: 2, label: 'step', labelFont: FONT, labelSize: 14, labelGap: 0 } : { size: 52, gap: 4 })
    };
  }

  private series(place: number, chart: Chart): uPlotClass.Series {
    const now = () => this.chart?.curves[place];
    const curve = chart.curves[place];
    const dash = curve?.dash?.split(' ').map(Number);
    return {
      stroke: () => now()?.colour ?? 'gray',
      width: curve?.width ?? 2,
      alpha: curve?.opacity ?? 1,
      spanGaps: true,
      ...(dash !== undefined && dash.length > 1 ? { dash } : {}),
      points: {
        size: 7,
        show: () => now()?.hasDots === true || now()?.points.length === 1,
        fill: () => now()?.colour ?? 'gray'
      }
    };
  }

  private listen(plot: uPlotClass): void {
    plot.over.addEventListener('mousedown', event => {
      this.pressedAt = event.clientX;
    });
    plot.over.addEventListener('click', event => {
      if (Math.abs(event.clientX - this.pressedAt) < MIN_DRAG && event.detail < 2) {
        this.pickSoon(Math.round(plot.posToVal(event.offsetX, 'x')));
      }
    });
    plot.over.addEventListener('mouseleave', () => this.events.onHover(null));
  }

  private pickSoon(step: number): void {
    clearTimeout(this.pick);
    if (this.zoom === null) {
      this.events.onPick(step);
    } else {
      this.pick = setTimeout(() => this.events.onPick(step), DOUBLE_CLICK_MS);
    }
  }

  private enterZoom(plot: uPlotClass): void {
    const { left, width } = plot.select;
    if (width < MIN_DRAG) {
      return;
    }
    this.zoom = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.applyRange(plot);
  }

  private leaveZoom(plot: uPlotClass): null {
    clearTimeout(this.pick);
    this.zoom = null;
    this.applyRange(plot);
    return null;
  }

  private tellHover(plot: uPlotClass): void {
    const { idx, left } = plot.cursor;
    const step = idx === null || idx === undefined ? undefined : plot.data[0][idx];
    if (step === undefined || left === undefined || left < 0) {
      this.events.onHover(null);
    } else {
      this.events.onHover({ step, left: left + plot.over.offsetLeft });
    }
  }

  private drawOver(draw: typeof drawRing, plot: uPlotClass): void {
    if (this.chart !== null && this.colours !== null) {
      draw(plot, this.chart, this.colours);
    }
  }
}

function tickText(value: number): string {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}

export const createUplotPlot: CreatePlot = async (host, events) => {
  const library = (await import('uplot')).default;
  return new UplotPlot(host, library, events);
};
