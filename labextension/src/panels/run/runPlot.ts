/** The plot of a run with its tools, and what it says of the step under the pointer. */

import type { Point } from '../../wire';
import type { Chart, CreatePlot, Hover, PlotColours } from '../chart/chart';
import { LazyPlot } from '../chart/lazyPlot';
import { Tip } from '../chart/tip';
import { element, setAttribute } from '../dom';
import { formatLearningRate, formatLoss, formatRate } from '../format';
import type { Disposable } from '../transport';
import { answerAt } from './answers';
import { readColours } from './colours';
import { curveChart, lossChart, type CurveName } from './lossChart';
import type { RunView } from './model';
import { PlotTools } from './plotTools';

const EMPTY = 'The loss appears with the first step';
const MAX_PROBES = 2;
const MAX_ANSWER_CHARS = 220;

export class RunPlot implements Disposable {
  readonly node = element('div', 'jp-twinkle-plot-area');
  private readonly canvas = element('div', 'jp-twinkle-plot-canvas');
  private readonly frame = element('div', 'jp-twinkle-plot', { role: 'img', tabindex: '0', 'data-empty': EMPTY }, this.canvas);
  private readonly tip = new Tip();
  private readonly tools: PlotTools;
  private readonly plot: LazyPlot;
  private readonly resizing: ResizeObserver;

  private view: RunView | null = null;
  private selected: number | null = null;
  private colours: PlotColours | null = null;
  /** Why there is no plot. */
  private problem: string | null = null;
  /** The step that the arrow keys have come to. */
  private read: number | null = null;

  constructor(
    createPlot: CreatePlot,
    private readonly onPick: (step: number) => void
  ) {
    const events = { onPick, onHover: (hover: Hover | null) => this.onHover(hover) };
    this.plot = new LazyPlot(() => createPlot(this.canvas, events), problem => this.onSettled(problem));
    this.tools = new PlotTools(() => this.redraw());
    this.node.append(this.tools.node, element('div', 'jp-twinkle-plot-box', {}, this.frame, this.tip.node));
    this.frame.onkeydown = event => this.onKey(event);
    this.frame.onblur = () => this.tip.hide();
    this.resizing = new ResizeObserver(() => this.plot.resize());
    this.resizing.observe(this.canvas);
  }

  show(view: RunView, selected: number | null): void {
    this.view = view;
    this.selected = selected;
    this.showEmpty();
    if (isEmpty(view)) {
      setAttribute(this.frame, 'aria-label', 'Loss over steps, no point yet');
    } else {
      this.redraw();
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

  private redraw(): void {
    const plot = this.view === null ? null : this.plot.get();
    if (plot === null || this.view === null || !this.node.isConnected) {
      return;
    }
    this.colours ??= readColours(this.node);
    const chart = this.chart(this.view, this.colours);
    setAttribute(this.frame, 'aria-label', `${chart.label}. Arrow keys read single steps.`);
    plot.draw(chart, this.colours);
  }

  private chart(view: RunView, colours: PlotColours): Chart {
    const settings = this.tools.settings;
    const data = { ...view, selected: this.selected };
    return settings.curve === 'loss'
      ? lossChart(data, colours, settings)
      : curveChart(curvePoints(view, settings.curve), data, colours, settings);
  }

  private onSettled(problem: string | null): void {
    this.problem = problem;
    this.showEmpty();
    if (problem !== null) {
      setAttribute(this.frame, 'aria-label', problem);
    }
    this.redraw();
  }

  /** In the place of the plot: that there is nothing to draw yet, or nothing to draw with. */
  private showEmpty(): void {
    setAttribute(this.frame, 'data-empty', this.problem ?? EMPTY);
    this.frame.classList.toggle('jp-twinkle-mod-empty', this.problem !== null || this.view === null || isEmpty(this.view));
  }

  private onHover(hover: Hover | null): void {
    if (hover === null || this.view === null) {
      this.tip.hide();
    } else {
      this.tip.show(hover.left, saidAt(this.view, this.tools.settings.curve, hover.step));
    }
  }

  private onKey(event: KeyboardEvent): void {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const points = this.view?.points ?? [];
    const newest = points.at(-1)?.[0];
    if (event.key === 'Enter' && this.read !== null) {
      this.onPick(this.read);
    } else if (move !== undefined && newest !== undefined && this.view !== null) {
      this.read = Math.max(points[0]?.[0] ?? 0, Math.min(newest, (this.read ?? newest) + move));
      const share = this.read / Math.max(1, newest);
      this.tip.show(share * this.canvas.clientWidth, saidAt(this.view, this.tools.settings.curve, this.read));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

function isEmpty(view: RunView): boolean {
  return view.points.length + view.evalPoints.length === 0;
}

function curvePoints(view: RunView, curve: CurveName): readonly Point[] {
  switch (curve) {
    case 'learning_rate':
      return view.learningRates;
    case 'tokens_per_second':
      return view.speeds;
    case 'grad_norm':
      return view.gradNorms;
    case 'loss':
      return view.points;
  }
}

/** Everything that is known of a step: its numbers, what happened there, what the probes answered. */
export function saidAt(view: RunView, curve: CurveName, step: number): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = [['Step', String(step)]];
  const add = (name: string, points: readonly Point[], format: (value: number) => string): void => {
    const point = points.find(one => one[0] === step);
    if (point !== undefined) {
      lines.push([name, format(point[1])]);
    }
  };
  add('Train loss', view.points, formatLoss);
  add('Held-out loss', view.evalPoints, formatLoss);
  if (curve === 'learning_rate') {
    add('Learning rate', view.learningRates, formatLearningRate);
  } else if (curve === 'tokens_per_second') {
    add('Tokens/s', view.speeds, formatRate);
  } else if (curve === 'grad_norm') {
    add('Gradient norm', view.gradNorms, formatLoss);
  }
  for (const mark of view.marks.filter(one => one.step === step)) {
    lines.push(['Here', mark.text]);
  }
  for (const probe of view.probes.slice(0, MAX_PROBES)) {
    const { said } = answerAt(probe, step);
    const answer = said.answer.length > MAX_ANSWER_CHARS ? `${said.answer.slice(0, MAX_ANSWER_CHARS)}…` : said.answer;
    lines.push([probe.prompt, `${said.step === 0 ? 'base model' : `step ${said.step}`}: ${answer}`]);
  }
  return lines;
}
