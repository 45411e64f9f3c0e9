/**
 * The plot of several curves with its tools: what is under the pointer, or where the arrow keys have
 * come to, is said beside it.
 */

import { element, setAttribute } from '../dom';
import { readColours } from '../run/colours';
import { PlotTools } from '../run/plotTools';
import type { PlotSettings } from '../run/lossChart';
import type { Disposable } from '../transport';
import type { Chart, CreatePlot, Hover, PlotColours } from './chart';
import { LazyPlot } from './lazyPlot';
import { Tip } from './tip';

export type Said = readonly (readonly [name: string, value: string])[];

export class ManyPlot implements Disposable {
  readonly node: HTMLElement;
  private readonly tools: PlotTools;
  private readonly tip = new Tip();
  private readonly canvas = element('div', 'jp-twinkle-plot-canvas');
  private readonly frame: HTMLElement;
  private readonly resizing: ResizeObserver;
  private readonly plot: LazyPlot;
  private chart: Chart | null = null;
  private colours: PlotColours | null = null;
  /** Why there is no plot. */
  private problem: string | null = null;
  /** The step that the arrow keys have come to. */
  private read: number | null = null;

  /**
   * @param onChange A tool was used: draw again.
   * @param saidAt What is known of a step.
   */
  constructor(
    createPlot: CreatePlot,
    onChange: () => void,
    private readonly saidAt: (step: number) => Said,
    private readonly empty: string
  ) {
    this.tools = new PlotTools(onChange, true);
    this.frame = element('div', 'jp-twinkle-plot', { role: 'img', tabindex: '0', 'data-empty': empty }, this.canvas);
    this.frame.onkeydown = event => this.onKey(event);
    this.frame.onblur = () => this.tip.hide();
    const box = element('div', 'jp-twinkle-plot-box', {}, this.frame, this.tip.node);
    this.node = element('div', 'jp-twinkle-plot-area', {}, this.tools.node, box);
    this.resizing = new ResizeObserver(() => this.plot.resize());
    this.resizing.observe(this.canvas);
    const events = { onPick: () => undefined, onHover: (hover: Hover | null) => this.onHover(hover) };
    this.plot = new LazyPlot(() => createPlot(this.canvas, events), problem => this.onSettled(problem));
    this.plot.get();
  }

  get settings(): PlotSettings {
    return this.tools.settings;
  }

  draw(chart: Chart): void {
    this.chart = chart;
    this.showEmpty();
    setAttribute(this.frame, 'aria-label', `${chart.label}. Arrow keys read single steps.`);
    const plot = this.plot.get();
    if (plot !== null && this.node.isConnected) {
      this.colours ??= readColours(this.node);
      plot.draw(chart, this.colours);
    }
  }

  /** The theme has changed. */
  recolour(): void {
    this.colours = null;
    this.redraw();
  }

  dispose(): void {
    this.resizing.disconnect();
    this.plot.dispose();
  }

  private onSettled(problem: string | null): void {
    this.problem = problem;
    this.showEmpty();
    this.redraw();
  }

  /** In the place of the plot: that there is nothing to draw yet, or nothing to draw with. */
  private showEmpty(): void {
    const hasCurve = this.chart?.curves.some(curve => curve.points.length > 0) ?? true;
    setAttribute(this.frame, 'data-empty', this.problem ?? this.empty);
    this.frame.classList.toggle('jp-twinkle-mod-empty', this.problem !== null || !hasCurve);
  }

  private redraw(): void {
    if (this.chart !== null) {
      this.draw(this.chart);
    }
  }

  private onHover(hover: Hover | null): void {
    if (hover === null) {
      this.tip.hide();
    } else {
      this.tip.show(hover.left, this.saidAt(hover.step));
    }
  }

  private onKey(event: KeyboardEvent): void {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const steps = stepsOf(this.chart);
    const newest = steps.at(-1);
    if (move === undefined || newest === undefined) {
      return;
    }
    const place = this.read === null ? steps.length - 1 : steps.findIndex(step => step >= (this.read ?? 0));
    this.read = steps[Math.max(0, Math.min(steps.length - 1, place + move))] ?? newest;
    const share = this.read / Math.max(1, this.chart?.last ?? 1);
    this.tip.show(share * this.canvas.clientWidth, this.saidAt(this.read));
    event.preventDefault();
    event.stopPropagation();
  }
}

function stepsOf(chart: Chart | null): readonly number[] {
  const steps = new Set((chart?.curves ?? []).flatMap(curve => curve.points.map(point => point[0])));
  return [...steps].sort((a, b) => a - b);
}
