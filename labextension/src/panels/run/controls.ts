/**
 * Pause, resume and stop. A click shows at once that it was taken; the button comes back when the
 * log shows the new state. Stop asks once more, in its own place.
 */

import type { ActionBody, CommandName } from '../../wire';
import { button } from '../button';
import { element, setText } from '../dom';
import { formatLoss } from '../format';
import { bestOf, isOver, type RunView } from './model';

const PENDING: Readonly<Record<CommandName, string>> = {
  pause: 'Pausing…',
  resume: 'Resuming…',
  stop: 'Stopping…'
};

/** How long a command may wait for its effect before the buttons come back. */
const PATIENCE_MS = 20_000;

export class RunControls {
  readonly node = element('div', 'jp-twinkle-controls');
  private readonly pause = button('pause', 'Pause');
  private readonly resume = button('resume', 'Resume');
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
    this.pause.onclick = () => void this.command('pause');
    this.resume.onclick = () => void this.command('resume');
    this.stop.onclick = () => this.ask(true);
    this.keep.onclick = () => this.ask(false);
    this.confirm.onclick = () => void this.command('stop');
    this.confirmBest.onclick = () => void this.command('stop', { keep: 'best' });
    this.node.onkeydown = event => {
      if (event.key === 'Escape' && this.isAsking) {
        event.stopPropagation();
        this.ask(false);
      }
    };
    this.node.append(this.error, this.keep, this.confirmBest, this.confirm, this.pause, this.resume, this.stop);
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
    (isAsking ? this.confirm : this.stop).focus();
  }

  private async command(name: CommandName, body?: ActionBody): Promise<void> {
    this.settle();
    this.isAsking = false;
    this.pending = name;
    this.timer = setTimeout(() => {
      this.settle();
      this.render();
    }, PATIENCE_MS);
    setText(this.error, '');
    this.render();
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
    const isEnabled = this.canSteer && this.pending === null && pending !== 'stop';
    show(this.pause, isShown && view.state !== 'paused', isEnabled);
    show(this.resume, isShown && view.state === 'paused', isEnabled);
    show(this.stop, isShown, isEnabled);
    show(this.confirm, isAsking, this.canSteer);
    show(this.confirmBest, isAsking, this.canSteer && view.evalPoints.length > 0);
    this.confirmBest.title = bestTitle(view);
    show(this.keep, isAsking, true);
    setText(this.pause, pending === 'pause' ? PENDING.pause : 'Pause');
    setText(this.resume, pending === 'resume' ? PENDING.resume : 'Resume');
    setText(this.stop, pending === 'stop' ? PENDING.stop : 'Stop');
  }
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
