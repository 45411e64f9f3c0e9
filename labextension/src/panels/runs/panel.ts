/**
 * Several runs in one plot: a subscription each, one redraw for all, at most ten times a second and
 * only while it can be seen. It knows neither JupyterLab nor the kernel.
 */

import type { RunBundle, RunsBundle } from '../../wire';
import type { CreatePlot } from '../chart/chart';
import { ManyPlot, type Said } from '../chart/manyPlot';
import { element, setAttribute, setText } from '../dom';
import { formatLoss } from '../format';
import { isOver, type RunView } from '../run/model';
import type { Disposable, Transport } from '../transport';
import { runsChart } from './curves';
import { RunFeed } from './feed';
import { RunsTable } from './table';

export interface RunsPanelOptions {
  readonly bundle: RunsBundle;
  readonly transportOf: (run: RunBundle) => Transport;
  readonly createPlot: CreatePlot;
  /** Something has changed, and whether all runs are over. */
  readonly onChange?: (areOver: boolean) => void;
}

const REDRAW_MS = 100;
const MAX_TOLD = 12;
const EMPTY = 'The losses appear with the first steps';

export class RunsPanel implements Disposable {
  readonly node: HTMLElement;
  private readonly feeds: readonly RunFeed[];
  private readonly table: RunsTable;
  private readonly plot: ManyPlot;
  private readonly connection = element('span', 'jp-twinkle-connection', { role: 'status', 'aria-live': 'polite' });
  private readonly seeing: IntersectionObserver;
  private pointed: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lastDraw = 0;
  private isVisible = true;
  private isDisposed = false;

  constructor(private readonly options: RunsPanelOptions) {
    const { runs } = options.bundle;
    this.feeds = runs.map(run => new RunFeed(run, options.transportOf(run), () => this.schedule()));
    this.table = new RunsTable(this.views, () => this.draw(), runId => this.point(runId));
    this.plot = new ManyPlot(options.createPlot, () => this.draw(), step => this.saidAt(step), EMPTY);
    const title = element('span', 'jp-twinkle-title', {}, `${runs.length} runs`);
    this.node = element(
      'section',
      'jp-twinkle-panel jp-twinkle-runs',
      { role: 'region', 'aria-label': `${runs.length} runs in one plot`, 'data-twinkle-runs': String(runs.length) },
      element('div', 'jp-twinkle-head', {}, title, this.connection),
      this.plot.node,
      this.table.node
    );
    this.seeing = new IntersectionObserver(entries => this.onSeen(entries.at(-1)?.isIntersecting ?? true));
    this.seeing.observe(this.node);
  }

  /** The runs as they are now. */
  get views(): readonly RunView[] {
    return this.feeds.map(feed => feed.view);
  }

  /** The theme has changed. */
  recolour(): void {
    this.plot.recolour();
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
    this.seeing.disconnect();
    for (const feed of this.feeds) {
      feed.dispose();
    }
    this.plot.dispose();
    this.node.remove();
  }

  private schedule(): void {
    if (this.timer === undefined && !this.isDisposed) {
      const wait = Math.max(0, REDRAW_MS - (performance.now() - this.lastDraw));
      this.timer = setTimeout(() => this.update(), wait);
    }
  }

  private update(): void {
    this.timer = undefined;
    this.draw();
    this.options.onChange?.(this.views.every(view => isOver(view.state)));
  }

  private draw(): void {
    this.lastDraw = performance.now();
    if (!this.isVisible || !this.node.isConnected) {
      return;
    }
    const views = this.views;
    this.showConnection();
    setAttribute(this.node, 'data-points', String(views.reduce((sum, view) => sum + view.points.length, 0)));
    this.table.show(views);
    const { isLog, smoothing } = this.plot.settings;
    this.plot.draw(runsChart(views, { isLog, smoothing, hidden: this.table.hidden, pointed: this.pointed }));
  }

  private showConnection(): void {
    const connections = this.feeds.map(feed => feed.connection);
    const waiting = connections.filter(one => one === 'waiting').length;
    const isLive = connections.includes('live');
    const isSaved = connections.every(one => one === 'saved');
    setAttribute(this.node, 'data-connection', isLive ? 'live' : waiting > 0 ? 'waiting' : isSaved ? 'saved' : 'ended');
    const words = waiting > 0 ? `Waiting for ${waiting} of ${connections.length}` : isLive ? 'Live' : isSaved ? 'Saved picture' : '';
    setText(this.connection, words);
  }

  private point(runId: string | null): void {
    this.pointed = runId;
    this.draw();
  }

  private onSeen(isVisible: boolean): void {
    const comesBack = isVisible && !this.isVisible;
    this.isVisible = isVisible;
    if (comesBack) {
      this.draw();
    }
  }

  private saidAt(step: number): Said {
    const said = this.views.flatMap(view => {
      const point = view.points.find(one => one[0] === step);
      return point === undefined ? [] : [[view.adapter, formatLoss(point[1])] as const];
    });
    return [['Step', String(step)], ...said.slice(0, MAX_TOLD)];
  }
}
