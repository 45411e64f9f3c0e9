/**
 * The panel of a run: takes frames from a transport, keeps the view, and draws it at most ten times
 * a second and only while it can be seen. It knows neither JupyterLab nor the kernel.
 */

import type { Frame, Snapshot } from '../../wire';
import type { CreatePlot } from '../chart/chart';
import type { Disposable, Notice, Transport } from '../transport';
import { RunControls } from './controls';
import { PanelLayout } from './layout';
import {
  applyFrames,
  emptyView,
  isOver,
  type Connection,
  type RunView
} from './model';
import { RunPlot } from './runPlot';
import { viewOfSnapshot } from './snapshots';
import { RunSteering } from './steering';

export interface RunPanelOptions {
  readonly runId: string;
  readonly adapter: string;
  /** The stored picture, shown until the log has caught up with it. */
  readonly snapshot: Snapshot | null;
  readonly transport: Transport;
  readonly createPlot: CreatePlot;
  /** The log has become longer; `view` is what the service says, never a stored picture. */
  readonly onChange?: (view: RunView) => void;
}

const REDRAW_MS = 100;
/** In a hidden page timers hardly run: frames are worked off by number there. */
const MAX_PENDING = 1000;

const NOT_RUNNING = 'the service is not running';

export class RunPanel implements Disposable {
  readonly node: HTMLElement;

  private readonly layout: PanelLayout;
  private readonly controls: RunControls;
  private readonly steering: RunSteering;
  private readonly subscription: Disposable;
  private readonly plot: RunPlot;
  private readonly seeing: IntersectionObserver;

  private picture: RunView;
  private log: RunView;
  private connection: Connection = 'waiting';
  private connectionText = 'Connecting…';

  private pending: Frame[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lastFlush = 0;
  private frame = 0;
  private isVisible = true;
  private isStale = true;
  private isDisposed = false;

  private isOriginAsked = false;
  /** The step whose answers are shown; null: the newest. */
  private selected: number | null = null;

  constructor(private readonly options: RunPanelOptions) {
    const { runId, adapter, snapshot } = options;
    this.log = emptyView(runId, adapter);
    this.picture = snapshot === null ? this.log : viewOfSnapshot(runId, adapter, snapshot);
    this.controls = new RunControls((command, body) => options.transport.command(command, body));
    this.steering = new RunSteering((action, body) => options.transport.command(action, body));
    this.plot = new RunPlot(options.createPlot, step => this.pick(step));
    const parts = { controls: this.controls.node, steering: this.steering.node, plot: this.plot.node };
    this.layout = new PanelLayout(runId, adapter, parts, step => this.select(step));
    this.node = this.layout.root;
    this.seeing = new IntersectionObserver(entries => this.onSeen(entries));
    this.seeing.observe(this.node);
    this.update();
    this.subscription = options.transport.subscribe(0, notice => this.onNotice(notice));
  }

  /** The log as far as it came in; null while there is only a stored picture. */
  get newest(): RunView | null {
    this.flush();
    return this.log.lastEventId > 0 ? this.log : null;
  }

  /** Show a newer stored picture, as another view of the same notebook may have written. */
  offerSnapshot(snapshot: Snapshot): void {
    if (snapshot.last_event_id > this.picture.lastEventId) {
      this.picture = viewOfSnapshot(this.options.runId, this.options.adapter, snapshot);
      this.update();
    }
  }

  /** The theme has changed. */
  recolour(): void {
    this.plot.recolour();
  }

  dispose(): void {
    this.isDisposed = true;
    this.subscription.dispose();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.seeing.disconnect();
    this.controls.dispose();
    this.plot.dispose();
    this.node.remove();
  }

  private get view(): RunView {
    return this.log.lastEventId >= this.picture.lastEventId ? this.log : this.picture;
  }

  private onNotice(notice: Notice): void {
    if (this.isDisposed) {
      return;
    }
    if (notice.type === 'event') {
      this.pending.push(notice);
      if (this.pending.length >= MAX_PENDING) {
        this.flush();
      }
      this.setConnection('live', 'Live');
      this.schedule();
      return;
    }
    this.flush();
    this.onConnection(notice);
  }

  private onConnection(notice: Exclude<Notice, { type: 'event' }>): void {
    switch (notice.type) {
      case 'connection':
        if (notice.state === 'live') {
          this.setConnection('live', 'Live');
        } else if (this.log.lastEventId === 0 && this.picture.lastEventId > 0) {
          this.setConnection('saved', savedText(notice.message || NOT_RUNNING));
        } else {
          this.setConnection('waiting', notice.message || 'Waiting for the service');
        }
        break;
      case 'end':
        this.setConnection('ended', '');
        break;
      case 'error':
        this.setConnection('saved', savedText(notice.error.message));
        break;
      case 'unavailable':
        this.setConnection('saved', savedText(notice.message));
        break;
    }
    this.update();
  }

  private setConnection(connection: Connection, text: string): void {
    if (this.connection !== connection || this.connectionText !== text) {
      this.connection = connection;
      this.connectionText = text;
      this.isStale = true;
    }
  }

  private schedule(): void {
    if (this.timer === undefined) {
      const wait = Math.max(0, REDRAW_MS - (performance.now() - this.lastFlush));
      this.timer = setTimeout(() => this.flush(), wait);
    }
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.pending.length === 0) {
      return;
    }
    this.lastFlush = performance.now();
    const before = this.log.lastEventId;
    this.log = applyFrames(this.log, this.pending);
    this.pending = [];
    this.update();
    if (this.log.lastEventId > before) {
      this.options.onChange?.(this.log);
    }
  }

  private update(): void {
    this.layout.mark(this.view, this.connection);
    this.layout.showConnection(isOver(this.view.state) && this.connection === 'live' ? '' : this.connectionText);
    this.requestDraw();
  }

  private onSeen(entries: readonly IntersectionObserverEntry[]): void {
    this.isVisible = entries.at(-1)?.isIntersecting ?? true;
    if (this.isVisible && this.isStale) {
      this.requestDraw();
    }
  }

  private requestDraw(): void {
    this.isStale = true;
    if (this.isVisible && this.frame === 0 && !this.isDisposed) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
  }

  private draw(): void {
    if (!this.node.isConnected) {
      return;
    }
    this.isStale = false;
    const view = this.view;
    const isLive = this.connection === 'live';
    this.layout.show(view, isLive, this.selected);
    this.controls.show(view, isLive);
    this.steering.show(view, isLive, this.connection === 'ended');
    this.askForOrigin();
    this.plot.show(view, this.selected);
  }

  private select(step: number | null): void {
    this.selected = step;
    this.requestDraw();
  }

  /** A click on the plot: its answers are shown, and a fork would begin there. */
  private pick(step: number): void {
    this.steering.pick(step);
    this.select(Math.max(0, step));
  }

  /** Once, and only when the service is known to be there. */
  private askForOrigin(): void {
    if (this.isOriginAsked || (this.connection !== 'live' && this.connection !== 'ended')) {
      return;
    }
    this.isOriginAsked = true;
    void this.options.transport.facts().then(facts => {
      if (facts !== null && !this.isDisposed) {
        this.layout.showOrigin(facts);
      }
    });
  }
}

function savedText(why: string): string {
  return `Saved picture; ${why.charAt(0).toLowerCase()}${why.slice(1).replace(/\.$/, '')}`;
}
