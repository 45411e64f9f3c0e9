/**
 * The panel of a sweep: asks for it each second while it can be seen and goes on, and draws all
 * curves and the table of members. It knows neither JupyterLab nor the kernel.
 */

import type { MemberAction, Sweep, SweepAction, SweepReading } from '../../sweepWire';
import type { ActionBody } from '../../wire';
import type { CreatePlot } from '../chart/chart';
import { ManyPlot } from '../chart/manyPlot';
import { element, setAttribute, setText } from '../dom';
import { STATE_WORDS } from '../format';
import { stateIcon } from '../icons';
import { isOver } from '../run/model';
import type { Disposable } from '../transport';
import { sweepLine } from './cells';
import { sweepChart, sweepSaidAt } from './chart';
import { ExtendForm } from './extend';
import { StopButton } from './stopButton';
import { RankingTable } from './table';
import type { SweepTransport } from './transport';

export interface SweepPanelOptions {
  readonly sweepId: string;
  readonly name: string;
  /** The stored picture, shown until the service has answered. */
  readonly stored: Sweep | null;
  readonly transport: SweepTransport;
  readonly createPlot: CreatePlot;
  /** The service has answered with something new. */
  readonly onChange?: (sweep: Sweep) => void;
}

const POLL_MS = 1000;
const EMPTY = 'The losses appear with the first steps';

export class SweepPanel implements Disposable {
  readonly node: HTMLElement;

  private readonly icon = stateIcon();
  private readonly state = element('span', 'jp-twinkle-state-word');
  private readonly connection = element('span', 'jp-twinkle-connection', { role: 'status', 'aria-live': 'polite' });
  private readonly caption = element('span', 'jp-twinkle-message');
  private readonly plot: ManyPlot;
  private readonly stop = new StopButton(() => this.command('stop', {}));
  private readonly table = new RankingTable({
    onPrune: runId => void this.tell(this.command('prune', { members: [runId] })),
    onMember: (runId, action) => this.tell(this.steer(runId, action)),
    onPoint: runId => this.pointAt(runId),
    onTick: () => this.drawCurves()
  });
  private readonly extend = new ExtendForm(body => this.command('extend', body));
  private readonly seeing: IntersectionObserver;

  private newestReading: { readonly sweep: Sweep; readonly raw: unknown } | null = null;
  private stored: Sweep | null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The member that is pointed at, by run id. */
  private pointed: string | null = null;
  private isReading = false;
  private isVisible = true;
  private isLive = false;
  private isDisposed = false;

  constructor(private readonly options: SweepPanelOptions) {
    this.stored = options.stored;
    this.plot = new ManyPlot(options.createPlot, () => this.drawCurves(), step => this.saidAt(step), EMPTY);
    const title = element('span', 'jp-twinkle-title', { title: options.sweepId }, options.name || options.sweepId);
    const state = element('span', 'jp-twinkle-state', {}, this.icon.node, this.state);
    this.node = element(
      'section',
      'jp-twinkle-sweep',
      { role: 'region', 'aria-label': `Sweep ${options.name}`, 'data-twinkle-sweep': options.sweepId },
      element('div', 'jp-twinkle-head', {}, title, state, this.connection, this.stop.node),
      element('div', 'jp-twinkle-caption', {}, this.caption),
      this.plot.node,
      this.table.node,
      this.extend.node
    );
    this.say('waiting', 'Connecting…');
    this.seeing = new IntersectionObserver(entries => this.onSeen(entries.at(-1)?.isIntersecting ?? true));
    this.seeing.observe(this.node);
    document.addEventListener('visibilitychange', this.onVisibility);
    this.draw();
    this.schedule(0);
  }

  /** What the service said last; null while there is only a stored picture. */
  get newest(): { readonly sweep: Sweep; readonly raw: unknown } | null {
    return this.newestReading;
  }

  /** The same sweep was displayed again: it may go on once more. */
  offer(stored: Sweep | null): void {
    this.stored = stored ?? this.stored;
    this.schedule(0);
    this.draw();
  }

  /** The theme has changed. */
  recolour(): void {
    this.plot.recolour();
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
    this.seeing.disconnect();
    this.plot.dispose();
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.node.remove();
  }

  private get sweep(): Sweep | null {
    return this.newestReading?.sweep ?? this.stored;
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    if (!this.isDisposed) {
      this.timer = setTimeout(() => void this.read(), ms);
    }
  }

  private async read(): Promise<void> {
    if (this.isReading || !this.isVisible || document.visibilityState === 'hidden') {
      return; // being seen again asks again
    }
    this.isReading = true;
    const reading = await this.options.transport.read();
    this.isReading = false;
    if (!this.isDisposed) {
      this.take(reading);
    }
  }

  private take(reading: SweepReading): void {
    this.isLive = reading.type === 'sweep';
    switch (reading.type) {
      case 'sweep':
        this.newestReading = reading;
        if (isOver(reading.sweep.state)) {
          this.say('ended', '');
        } else {
          this.say('live', 'Live');
          this.schedule(POLL_MS);
        }
        this.options.onChange?.(reading.sweep);
        break;
      case 'waiting':
        this.say('waiting', reading.message);
        this.schedule(POLL_MS);
        break;
      case 'unavailable':
        this.say('saved', `Saved picture; ${reading.error.message}`);
        break;
    }
    this.draw();
  }

  private say(connection: string, text: string): void {
    setAttribute(this.node, 'data-connection', connection);
    setText(this.connection, text);
    this.connection.title = text;
  }

  private draw(): void {
    const sweep = this.sweep;
    this.node.classList.toggle('jp-twinkle-mod-empty', sweep === null);
    if (sweep === null) {
      return;
    }
    setAttribute(this.node, 'data-state', sweep.state);
    setAttribute(this.node, 'data-members', String(sweep.members.length));
    setAttribute(this.node, 'data-curves', String(sweep.members.filter(one => one.points.length > 0).length));
    setAttribute(this.node, 'data-points', String(sweep.members.reduce((sum, one) => sum + one.points.length, 0)));
    this.icon.show(sweep.state);
    setText(this.state, STATE_WORDS[sweep.state]);
    setText(this.caption, sweepLine(sweep));
    this.stop.show(!isOver(sweep.state), this.isLive);
    this.table.show(sweep, this.isLive);
    this.extend.show(sweep, this.isLive);
    this.drawCurves();
  }

  private drawCurves(): void {
    if (this.sweep !== null) {
      const { isLog, smoothing } = this.plot.settings;
      this.plot.draw(sweepChart(this.sweep, { isLog, smoothing, hidden: this.table.hidden, pointed: this.pointed }));
    }
  }

  private saidAt(step: number): ReturnType<typeof sweepSaidAt> {
    return this.sweep === null ? [] : sweepSaidAt(this.sweep, step);
  }

  private pointAt(runId: string | null): void {
    if (this.pointed !== runId) {
      this.pointed = runId;
      this.drawCurves();
    }
  }

  /** @returns Whether it was taken; why not is said. */
  private async tell(work: Promise<void>): Promise<boolean> {
    this.stop.tell('');
    try {
      await work;
      return true;
    } catch (error) {
      this.stop.tell(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  private async command(action: SweepAction, body: ActionBody): Promise<void> {
    await this.options.transport.command(action, body);
    this.schedule(0);
  }

  private async steer(runId: string, action: MemberAction): Promise<void> {
    await this.options.transport.steer(runId, action);
    this.schedule(0);
  }

  private onSeen(isVisible: boolean): void {
    const comesBack = isVisible && !this.isVisible;
    this.isVisible = isVisible;
    if (comesBack) {
      this.schedule(0);
      this.drawCurves();
    }
  }

  private readonly onVisibility = (): void => {
    if (document.visibilityState === 'visible') {
      this.schedule(0);
    }
  };
}
