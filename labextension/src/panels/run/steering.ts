/**
 * Learning rate, total steps, a checkpoint, a fork: what a person changes while the run goes on.
 * What cannot be right is said here; what the service refuses is said in its words.
 */

import type { ActionBody, ActionName, Changes } from '../../wire';
import { button } from '../button';
import { element, setText } from '../dom';
import { entry, labelled, onEnter } from '../entry';
import { formatLearningRate } from '../format';
import { shortChanges } from './marks';
import { isOver, type RunView } from './model';

type Send = (action: ActionName, body?: ActionBody) => Promise<void>;

const ADAPTER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export class RunSteering {
  readonly node = element('details', 'jp-twinkle-steer', { hidden: '' });
  private readonly rate = entry('learning-rate', 'decimal');
  private readonly steps = entry('steps', 'numeric');
  private readonly name = entry('adapter', 'text');
  private readonly from = entry('fork-step', 'numeric');
  private readonly actions = [
    button('rate-half', '×0.5'),
    button('rate-double', '×2'),
    button('apply', 'Apply'),
    button('checkpoint', 'Checkpoint now'),
    button('fork', 'Fork')
  ] as const;
  private readonly said = element('div', 'jp-twinkle-steer-said', { role: 'status' });

  private view: RunView | null = null;
  private isBusy = false;
  private canSteer = false;
  private canFork = false;

  constructor(private readonly send: Send) {
    const [half, double, apply, checkpoint, fork] = this.actions;
    half.onclick = () => this.scale(0.5);
    double.onclick = () => this.scale(2);
    apply.onclick = () => this.apply();
    checkpoint.onclick = () => void this.act('checkpoint', {}, 'A checkpoint is made at the next step.');
    fork.onclick = () => this.fork();
    // Enter is a click on the button, which does nothing while it may not be pressed.
    onEnter(this.rate, () => apply.click());
    onEnter(this.steps, () => apply.click());
    onEnter(this.name, () => fork.click());
    onEnter(this.from, () => fork.click());
    this.from.placeholder = 'newest';
    this.from.title = 'A step that there is a checkpoint of; a click on the plot takes the nearest before it';
    this.name.placeholder = 'name of the new adapter';
    this.node.append(
      element('summary', 'jp-twinkle-steer-title', {}, 'Steer'),
      element(
        'div',
        'jp-twinkle-steer-row',
        {},
        labelled('Learning rate', this.rate, half, double),
        labelled('Total steps', this.steps, apply)
      ),
      element('div', 'jp-twinkle-steer-row', {}, labelled('New run', this.name), labelled('From step', this.from, fork), checkpoint),
      this.said
    );
  }

  /** @param hasEnded The log is complete: a fork is what can still be asked for. */
  show(view: RunView, isLive: boolean, hasEnded: boolean): void {
    this.view = view;
    this.canSteer = isLive && !isOver(view.state);
    this.canFork = this.canSteer || hasEnded || (isLive && isOver(view.state));
    this.node.hidden = !this.canFork && this.said.textContent === '';
    this.rate.placeholder = formatLearningRate(view.learningRate);
    this.steps.placeholder = view.totalSteps > 0 ? String(view.totalSteps) : '';
    this.rate.disabled = this.steps.disabled = !this.canSteer;
    this.enable();
  }

  /** A step was clicked: a fork would begin at the nearest checkpoint before it. */
  pick(step: number): void {
    const before = (this.view?.checkpoints ?? []).filter(one => one <= step).at(-1);
    if (this.canFork && before !== undefined) {
      this.from.value = String(before);
    }
  }

  private scale(factor: number): void {
    const rate = this.view?.learningRate ?? null;
    if (rate !== null) {
      this.rate.value = formatLearningRate(factor * (readRate(this.rate.value) ?? rate));
    }
  }

  private apply(): void {
    const changes = readChanges(this.rate.value, this.steps.value, this.view?.step ?? 0);
    if (typeof changes === 'string') {
      this.tell(changes, true);
      return;
    }
    void this.act('set', { changes }, `${shortChanges(changes)} from the next step on.`).then(isTaken => {
      if (isTaken) {
        this.rate.value = this.steps.value = '';
      }
    });
  }

  private fork(): void {
    const adapter = this.name.value.trim();
    if (!ADAPTER_NAME.test(adapter)) {
      this.tell('Give the new adapter a name of letters, digits, dots, dashes and underscores.', true);
      this.name.focus();
      return;
    }
    const step = this.from.value.trim() === '' ? null : Number(this.from.value);
    if (step !== null && !(Number.isInteger(step) && step >= 0)) {
      this.tell(`The step must be a whole number, not “${this.from.value.trim()}”; empty is the newest.`, true);
      return;
    }
    const place = step === null ? 'here' : `step ${step}`;
    const body = { step, adapter, changes: {} };
    void this.act('fork', body, `${adapter} goes on from ${place}: %twinkle show ${adapter}`).then(isTaken => {
      if (isTaken) {
        this.name.value = '';
      }
    });
  }

  private async act(action: ActionName, body: ActionBody, done: string): Promise<boolean> {
    this.setBusy(true);
    this.tell('…', false);
    try {
      await this.send(action, body);
      this.tell(done, false);
      return true;
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
      return false;
    } finally {
      this.setBusy(false);
    }
  }

  private setBusy(isBusy: boolean): void {
    this.isBusy = isBusy;
    this.enable();
  }

  private enable(): void {
    const [half, double, apply, checkpoint, fork] = this.actions;
    apply.disabled = checkpoint.disabled = !this.canSteer || this.isBusy;
    half.disabled = double.disabled = apply.disabled || (this.view?.learningRate ?? null) === null;
    fork.disabled = !this.canFork || this.isBusy;
  }

  private tell(text: string, isProblem: boolean): void {
    this.said.classList.toggle('jp-twinkle-mod-problem', isProblem);
    setText(this.said, text);
  }
}

/** The changes that the entries ask for, or one sentence why they are none. */
export function readChanges(rateText: string, stepsText: string, step: number): Changes | string {
  const changes: Record<string, number> = {};
  if (rateText.trim() !== '') {
    const rate = readRate(rateText);
    if (rate === null) {
      return `The learning rate must be a number above 0 and at most 1, such as 3e-4, not “${rateText.trim()}”.`;
    }
    changes['learning_rate'] = rate;
  }
  if (stepsText.trim() !== '') {
    const steps = Number(stepsText);
    if (!Number.isInteger(steps) || steps <= step) {
      return `Total steps must be a whole number above the ${step} taken, not “${stepsText.trim()}”.`;
    }
    changes['steps'] = steps;
  }
  return Object.keys(changes).length > 0 ? changes : 'Enter a learning rate or a number of steps first.';
}

function readRate(text: string): number | null {
  const rate = Number(text.trim().replace(',', '.'));
  return text.trim() !== '' && rate > 0 && rate <= 1 ? rate : null;
}
