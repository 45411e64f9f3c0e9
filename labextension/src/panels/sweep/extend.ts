/** More values for a sweep: which setting, and which values. The service says what cannot be right. */

import type { Sweep } from '../../sweepWire';
import type { ActionBody } from '../../wire';
import { button } from '../button';
import { element, setText } from '../dom';
import { entry, keepKeys, labelled, onEnter } from '../entry';

export class ExtendForm {
  readonly node: HTMLElement;
  private readonly setting = element('select', 'jp-twinkle-entry', { 'data-entry': 'setting' });
  private readonly values = entry('values', 'text');
  private readonly extend = button('extend', 'Extend');
  private readonly said = element('div', 'jp-twinkle-steer-said', { role: 'status' });
  private isBusy = false;
  private canSteer = false;

  constructor(private readonly send: (body: ActionBody) => Promise<void>) {
    this.values.placeholder = '3e-3, 1e-2';
    this.extend.onclick = () => void this.submit();
    onEnter(this.values, () => void this.submit());
    this.setting.onkeydown = keepKeys;
    this.node = element(
      'details',
      'jp-twinkle-steer',
      {},
      element('summary', 'jp-twinkle-steer-title', {}, 'Extend'),
      element(
        'div',
        'jp-twinkle-steer-row',
        {},
        labelled('Setting', this.setting),
        labelled('More values', this.values, this.extend)
      ),
      this.said
    );
  }

  show(sweep: Sweep, canSteer: boolean): void {
    const shown = Array.from(this.setting.options, option => option.value);
    if (shown.join('\n') !== sweep.varied.join('\n')) {
      const options = sweep.varied.map(name => element('option', '', { value: name }, name.replaceAll('_', ' ')));
      this.setting.replaceChildren(...options);
    }
    this.canSteer = canSteer;
    this.extend.disabled = !canSteer || this.isBusy;
  }

  private async submit(): Promise<void> {
    const values = readValues(this.values.value);
    if (!this.canSteer || this.isBusy || values.length === 0) {
      this.tell(values.length === 0 ? 'Enter values first, such as 3e-3, 1e-2.' : '', true);
      return;
    }
    this.isBusy = this.extend.disabled = true;
    this.tell('…', false);
    try {
      await this.send({ grid: { [this.setting.value]: values } });
      this.values.value = '';
      this.tell('The new runs begin.', false);
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
    } finally {
      this.isBusy = false;
      this.extend.disabled = !this.canSteer;
    }
  }

  private tell(text: string, isProblem: boolean): void {
    this.said.classList.toggle('jp-twinkle-mod-problem', isProblem);
    setText(this.said, text);
  }
}

/** The values between commas, as they were written: the service knows their types. */
export function readValues(text: string): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
