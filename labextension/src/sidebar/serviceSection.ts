/** The service: base models, what they hold, who waits, and the limits in use. */

import { element, setAttribute, setText } from '../panels/dom';
import { formatCount, formatMemory, shortModelName } from '../panels/format';
import { wordButton } from './buttons';
import { Commands } from './ids';
import { KeyedList, type Row } from './keyedList';
import type { BaseModel, Limit, Overview } from './model';
import { Section, type SectionContext } from './section';
import { limitWord } from './words';

const PHASE_WORDS: Readonly<Record<string, string>> = {
  wanted: 'not loaded',
  fetching: 'being fetched',
  loading: 'being loaded',
  ready: 'loaded',
  failed: 'failed'
};

export class ServiceSection extends Section {
  private readonly models: KeyedList<BaseModel>;
  private readonly limits: KeyedList<Limit>;
  private readonly queue = element('p', 'jp-twinkle-side-words');
  private readonly stop: HTMLButtonElement;

  constructor(context: SectionContext) {
    super('service', 'Service', context);
    this.models = new KeyedList('Base models', model => model.name, model => new ModelRow(model));
    this.limits = new KeyedList('Limits', limit => limit.name, limit => new LimitRow(limit));
    this.stop = wordButton('stop-service', 'Stop the service…', () => void context.commands.execute(Commands.stopService));
    const foot = element('div', 'jp-twinkle-side-foot', {}, this.stop);
    this.body.append(this.models.node, this.queue, this.limits.node, foot);
  }

  protected override count(): number {
    return 1;
  }

  protected override get isCounted(): boolean {
    return false;
  }

  protected override fill(overview: Overview): void {
    this.models.show(overview.baseModels);
    const num = overview.numQueued;
    setText(this.queue, num === 0 ? 'No run waits for its turn.' : `${num} ${num === 1 ? 'run waits' : 'runs wait'} for ${num === 1 ? 'its' : 'their'} turn.`);
    this.stop.hidden = !overview.isLive || !overview.canStart;
    this.limits.show(overview.limits.filter(limit => limit.limit > 0));
  }

  protected override whenEmpty() {
    return { words: '', command: '', label: '' };
  }
}

class ModelRow implements Row<BaseModel> {
  readonly node: HTMLElement;
  private readonly name = element('span', 'jp-twinkle-side-name');
  private readonly state = element('span', 'jp-twinkle-side-state');
  private readonly facts = element('div', 'jp-twinkle-side-facts');
  private readonly said = element('div', 'jp-twinkle-side-facts');

  constructor(model: BaseModel) {
    const head = element('div', 'jp-twinkle-side-head', {}, this.name, this.state);
    this.node = element('li', 'jp-twinkle-side-item', { 'data-model': model.name }, head, this.facts, this.said);
  }

  show(model: BaseModel): void {
    setText(this.name, shortModelName(model.name));
    setAttribute(this.name, 'title', model.name);
    setText(this.state, PHASE_WORDS[model.phase] ?? model.phase);
    const held = model.num_adapters;
    const parts = [
      held === null ? `${model.num_slots} slots` : `${held} of ${model.num_slots} slots`,
      ...((model.memory_bytes ?? 0) < 1e6 ? [] : [formatMemory(model.memory_bytes ?? 0)]),
      ...(model.computed_in === '' ? [] : [model.computed_in.split(':')[0] ?? ''])
    ];
    setText(this.facts, parts.join(' · '));
    setAttribute(this.facts, 'title', model.computed_in);
    setText(this.said, model.phase === 'ready' ? '' : model.message);
  }
}

class LimitRow implements Row<Limit> {
  readonly node: HTMLElement;
  private readonly name = element('span', 'jp-twinkle-side-limit');
  private readonly used = element('span', 'jp-twinkle-side-state');
  private readonly fill = element('div', 'jp-twinkle-side-fill');
  private readonly bar = element('div', 'jp-twinkle-side-bar', { role: 'progressbar', 'aria-valuemin': '0' }, this.fill);

  constructor(limit: Limit) {
    const head = element('div', 'jp-twinkle-side-head', {}, this.name, this.used);
    this.node = element('li', 'jp-twinkle-side-item', { 'data-limit': limit.name }, head, this.bar);
  }

  show(limit: Limit): void {
    const word = limitWord(limit);
    const used = limit.used ?? 0;
    setText(this.name, word);
    setText(this.used, limit.used === null ? formatCount(limit.limit) : `${formatCount(used)} of ${formatCount(limit.limit)}`);
    this.bar.hidden = limit.used === null;
    setAttribute(this.bar, 'aria-label', word);
    setAttribute(this.bar, 'aria-valuemax', String(limit.limit));
    setAttribute(this.bar, 'aria-valuenow', String(used));
    this.fill.style.transform = `scaleX(${Math.min(1, used / limit.limit)})`;
    this.node.classList.toggle('jp-twinkle-mod-full', used >= limit.limit);
  }
}
