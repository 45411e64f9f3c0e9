/**
 * Pause, resume and stop. A click shows at once that it was taken; the button comes back when the
 * log shows the new state. Stop asks once more, in its own place.
 */

import type { ActionBody, CommandName } from '../../wire';
import { button, onPress, setWaiting } from '../button';
import { element, setAttribute, setText } from '../dom';
import { formatLoss } from '../format';
import { bestOf, isOver, type RunView } from './model';

const PENDING: Readonly<Record<CommandName, string>> = {
  pause: 'Pausing…',
  resume: 'Resuming…',
  stop: 'Stopping…'
};

const LABELS = { pause: 'Pause', resume: 'Resume' } as const;

/** How long a command may wait for its effect before the buttons come back. */
const PATIENCE_MS = 20_000;

export class RunControls {
  readonly node = element('div', 'jp-twinkle-controls');
  /** Pause or resume, so that the focus stays where it is. */
  private readonly pause = button('pause', 'Pause');
  private readonly stop = button('stop', 'Stop');
  private readonly confirm = button('stop-confirm', 'Stop the run');
  private readonly confirmBest = button('stop-best', 'Stop, keep the best');
  private readonly keep = button('stop-cancel', 'Keep going');
  private readonly error = element('div', 'jp-twinkle-command-error', { role: 'alert' });

  private view: RunView | null = null;
  private canSteer = false;
  private isAsking = false;
  private pending: CommandName | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: (command: CommandName, body?: ActionBody) => Promise<void>) {
    onPress(this.pause, () => void this.command(isPaused(this.view) ? 'resume' : 'pause'));
    onPress(this.stop, () => this.ask(true));
    onPress(this.keep, () => this.ask(false));
    onPress(this.confirm, () => void this.command('stop'));
    onPress(this.confirmBest, () => void this.command('stop', { keep: 'best' }));
    this.node.onkeydown = event => {
      if (event.key === 'Escape' && this.isAsking) {
        event.stopPropagation();
        this.ask(false);
      }
    };
    // What harms nothing comes into the place of Stop, under the pointer.
    this.node.append(this.error, this.confirmBest, this.confirm, this.pause, this.stop, this.keep);
  }

  show(view: RunView, canSteer: boolean): void {
    if (this.view !== null && this.view.state !== view.state) {
      this.settle();
    }
    this.view = view;
    this.canSteer = canSteer && !isOver(view.state);
    this.isAsking &&= this.canSteer;
    this.render();
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private ask(isAsking: boolean): void {
    this.isAsking = isAsking;
    this.render();
    (isAsking ? this.keep : this.stop).focus();
  }

  private async command(name: CommandName, body?: ActionBody): Promise<void> {
    this.settle();
    const wasAsking = this.isAsking;
    this.isAsking = false;
    this.pending = name;
    this.timer = setTimeout(() => {
      this.settle();
      this.render();
    }, PATIENCE_MS);
    setText(this.error, '');
    this.render();
    if (wasAsking) {
      this.stop.focus();
    }
    try {
      await this.send(name, body);
    } catch (error) {
      this.settle();
      setText(this.error, error instanceof Error ? error.message : String(error));
      this.render();
    }
  }

  private settle(): void {
    clearTimeout(this.timer);
    this.pending = null;
  }

  private render(): void {
    const { view, isAsking } = this;
    if (view === null) {
      return;
    }
    const pending = this.pending ?? view.wanted;
    const isShown = !isOver(view.state) && !isAsking;
    const next = isPaused(view) ? 'resume' : 'pause';
    for (const one of [this.pause, this.stop]) {
      show(one, isShown, this.canSteer);
      setWaiting(one, this.pending !== null || pending === 'stop');
    }
    show(this.confirm, isAsking, this.canSteer);
    show(this.confirmBest, isAsking, this.canSteer && view.evalPoints.length > 0);
    this.confirmBest.title = bestTitle(view);
    show(this.keep, isAsking, true);
    setAttribute(this.pause, 'data-action', next);
    setText(this.pause, pending === next ? PENDING[next] : LABELS[next]);
    setText(this.stop, pending === 'stop' ? PENDING.stop : 'Stop');
  }
}

function isPaused(view: RunView | null): boolean {
  return view?.state === 'paused';
}

function bestTitle(view: RunView): string {
  const best = bestOf(view.evalPoints);
  return best === null
    ? 'There is no held-out loss yet'
    : `Keep the weights of step ${best[0]}, held-out loss ${formatLoss(best[1])}`;
}

function show(node: HTMLButtonElement, isShown: boolean, isEnabled: boolean): void {
  node.hidden = !isShown;
  node.disabled = !isEnabled;
}
