/** Who answers and how: models side by side, and the numbers of sampling. */

import type { ChatBundle, ChatSettings } from '../../asking';
import { element } from '../dom';
import { entry, keepKeys, labelled } from '../entry';

const LIMITS = {
  temperature: ['Temperature', 0, 10],
  topP: ['Top p', 0.01, 1],
  maxTokens: ['Max tokens', 1, 32_768],
  seed: ['Seed', 0, 1_000_000_000]
} as const;

type Name = keyof typeof LIMITS;
const NAMES = Object.keys(LIMITS) as Name[];
const WHOLE: readonly Name[] = ['maxTokens', 'seed'];

export class ChatForm {
  readonly node: HTMLElement;
  readonly models = entry('models', 'text');
  private readonly system = entry('system', 'text');
  private readonly known = element('datalist', '', {});
  private readonly numbers: Readonly<Record<Name, HTMLInputElement>>;

  constructor(bundle: ChatBundle, listId: string) {
    this.numbers = {
      temperature: entry('temperature', 'decimal'),
      topP: entry('top-p', 'decimal'),
      maxTokens: entry('max-tokens', 'numeric'),
      seed: entry('seed', 'numeric')
    };
    this.known.id = listId;
    this.models.setAttribute('list', listId);
    this.models.title = 'Adapters, base, or an adapter at a step: pirate, base, pirate@40';
    this.show(bundle);
    const fields = NAMES.map(name => labelled(LIMITS[name][0], this.numbers[name]));
    this.node = element(
      'details',
      'jp-twinkle-steer',
      {},
      element('summary', 'jp-twinkle-steer-title', {}, 'Models and sampling'),
      element('div', 'jp-twinkle-steer-row', {}, labelled('Models', this.models, this.known), labelled('System', this.system)),
      element('div', 'jp-twinkle-steer-row', {}, ...fields)
    );
    this.node.onkeydown = keepKeys;
  }

  show({ models, system, settings }: ChatBundle): void {
    this.models.value = models.join(', ');
    this.system.value = system;
    for (const name of NAMES) {
      this.numbers[name].value = String(settings[name]);
    }
  }

  /** Offer these names. */
  suggest(names: readonly string[]): void {
    this.known.replaceChildren(...names.map(name => element('option', '', { value: name })));
  }

  /** What was entered, or one sentence why it cannot be used. */
  read(): { readonly models: readonly string[]; readonly system: string; readonly settings: ChatSettings } | string {
    const models = this.models.value.split(',').map(model => model.trim()).filter(model => model !== '');
    if (models.length === 0 || models.length > 4) {
      return 'Name one to four models, with commas between them, such as pirate, base, pirate@40.';
    }
    const settings: Record<Name, number> = { temperature: 0, topP: 1, maxTokens: 1, seed: 0 };
    for (const name of NAMES) {
      const [label, least, greatest] = LIMITS[name];
      const text = this.numbers[name].value.trim();
      const value = Number(text.replace(',', '.'));
      if (text === '' || !(value >= least && value <= greatest) || (WHOLE.includes(name) && !Number.isInteger(value))) {
        return `${label} must be a ${WHOLE.includes(name) ? 'whole ' : ''}number from ${least} to ${greatest}, not “${text}”.`;
      }
      settings[name] = value;
    }
    return { models, system: this.system.value.trim(), settings };
  }
}
