/** The dialog that starts a run on a file: what it is called, how large, how long. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { element } from '../panels/dom';
import type { Json } from './requests';
import { adapterNameFor } from './words';

export interface TrainDefaults {
  readonly rank: number;
  /** 0: three passes over the rows. */
  readonly steps: number;
}

interface Answers {
  readonly config: Json;
  /** Why they cannot be used; else empty. */
  readonly problem: string;
}

/**
 * Ask until the run is started or nobody wants it. `start` rejects with a sentence, which is shown
 * above what was entered.
 */
export async function askAndTrain(path: string, defaults: TrainDefaults, start: (config: Json) => Promise<void>): Promise<void> {
  const fields = new TrainFields(path, defaults);
  for (let problem = ''; ; ) {
    const buttons = [Dialog.cancelButton(), Dialog.okButton({ label: 'Train' })];
    const body = new TrainForm(fields, path, problem);
    const asked = await showDialog({ title: 'Train an adapter', body, buttons, focusNodeSelector: 'input' });
    if (!asked.button.accept) {
      return;
    }
    const { config, problem: wrong } = fields.read();
    problem = wrong;
    if (problem === '') {
      try {
        await start(config);
        return;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
  }
}

/** What was entered outlives the dialog in which it was wrong. */
export class TrainFields {
  readonly adapter = field('adapter', 'text');
  readonly rank = field('rank', 'number');
  readonly steps = field('steps', 'number');
  readonly probe = field('probe', 'text');

  constructor(path: string, defaults: TrainDefaults) {
    this.adapter.value = adapterNameFor(path);
    this.rank.value = String(defaults.rank);
    this.steps.value = defaults.steps > 0 ? String(defaults.steps) : '';
    this.steps.placeholder = 'three passes over the rows';
    this.probe.placeholder = 'asked again and again while it learns';
  }

  read(): Answers {
    const [adapter, rank, steps] = [this.adapter.value.trim(), Number(this.rank.value), this.steps.value.trim()];
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(adapter)) {
      return { config: {}, problem: 'The adapter’s name must be letters, digits, dots, dashes and underscores.' };
    }
    if (!Number.isInteger(rank) || rank < 1 || rank > 256) {
      return { config: {}, problem: `The rank must be a whole number from 1 to 256, not “${this.rank.value}”.` };
    }
    if (steps !== '' && !(Number.isInteger(Number(steps)) && Number(steps) >= 1)) {
      return { config: {}, problem: `The number of steps must be a whole number of at least 1, not “${steps}”.` };
    }
    const probe = this.probe.value.trim();
    const config = { adapter, rank, ...(steps === '' ? {} : { steps: Number(steps) }), ...(probe === '' ? {} : { probe: [probe] }) };
    return { config, problem: '' };
  }
}

class TrainForm extends Widget implements Dialog.IBodyWidget<null> {
  constructor(fields: TrainFields, path: string, problem: string) {
    super();
    this.addClass('jp-twinkle-form');
    this.node.append(
      element('p', 'jp-twinkle-form-problem', { role: 'alert' }, problem),
      element('p', 'jp-twinkle-form-file', {}, path),
      element('label', '', {}, 'Name of the adapter', fields.adapter),
      element('label', '', {}, 'Rank', fields.rank),
      element('label', '', {}, 'Steps', fields.steps),
      element('label', '', {}, 'A prompt to try it with', fields.probe)
    );
  }

  getValue(): null {
    return null;
  }
}

/** Without limits of its own: JupyterLab would take the button away and not say why. */
function field(name: string, type: string): HTMLInputElement {
  return element('input', 'jp-mod-styled', { type, name, autocomplete: 'off', ...(type === 'number' ? { step: 'any' } : {}) });
}
