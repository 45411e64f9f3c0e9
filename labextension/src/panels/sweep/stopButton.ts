/** Ends all runs of a sweep; asks once more, in its own place. */

import { button, onPress, setWaiting } from '../button';
import { element, setText } from '../dom';

export class StopButton {
  readonly node = element('div', 'jp-twinkle-controls');
  private readonly stop = button('stop', 'Stop all');
  private readonly confirm = button('stop-confirm', 'Stop all runs');
  private readonly keep = button('stop-cancel', 'Keep going');
  private readonly error = element('div', 'jp-twinkle-command-error', { role: 'alert' });
  private canStop = false;
  private isAsking = false;
  private isStopping = false;

  constructor(private readonly send: () => Promise<void>) {
    onPress(this.stop, () => this.ask(true));
    onPress(this.keep, () => this.ask(false));
    onPress(this.confirm, () => void this.act());
    this.node.onkeydown = event => {
      if (event.key === 'Escape' && this.isAsking) {
        event.stopPropagation();
        this.ask(false);
      }
    };
    // What harms nothing comes into the place of Stop, under the pointer.
    this.node.append(this.error, this.confirm, this.stop, this.keep);
    this.render();
  }

  /** @param isActive Some run goes on. */
  show(isActive: boolean, canSteer: boolean): void {
    this.canStop = isActive && canSteer;
    this.isAsking &&= this.canStop;
    this.isStopping &&= isActive;
    this.node.hidden = !isActive;
    this.render();
  }

  tell(problem: string): void {
    setText(this.error, problem);
  }

  private ask(isAsking: boolean): void {
    this.isAsking = isAsking;
    this.render();
    (isAsking ? this.keep : this.stop).focus();
  }

  private async act(): Promise<void> {
    this.isAsking = false;
    this.isStopping = true;
    this.tell('');
    this.render();
    this.stop.focus();
    try {
      await this.send();
    } catch (error) {
      this.isStopping = false;
      this.tell(error instanceof Error ? error.message : String(error));
      this.render();
    }
  }

  private render(): void {
    this.stop.hidden = this.isAsking;
    this.confirm.hidden = this.keep.hidden = !this.isAsking;
    this.stop.disabled = !this.canStop;
    setWaiting(this.stop, this.isStopping);
    setText(this.stop, this.isStopping ? 'Stopping…' : 'Stop all');
  }
}
