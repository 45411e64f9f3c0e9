/** The adapters of a user: to chat with, to take elsewhere, to delete. */

import { element, setAttribute, setText } from '../panels/dom';
import { formatCount, shortModelName } from '../panels/format';
import { iconButton, nameButton } from './buttons';
import { Commands } from './ids';
import { KeyedList, type Row } from './keyedList';
import type { Adapter, Overview } from './model';
import { Section, type SectionContext } from './section';

export class AdaptersSection extends Section {
  private readonly list: KeyedList<Adapter>;

  constructor(context: SectionContext) {
    super('adapters', 'Adapters', context);
    this.list = new KeyedList('Adapters', adapter => adapter.name, adapter => new AdapterRow(adapter, context));
    this.body.append(this.list.node);
  }

  protected override count(overview: Overview): number {
    return overview.adapters.length;
  }

  protected override fill(overview: Overview): void {
    this.list.show(overview.adapters);
  }

  protected override whenEmpty() {
    return { words: 'No adapters yet. Each run makes one.', command: '', label: '' };
  }
}

class AdapterRow implements Row<Adapter> {
  readonly node: HTMLElement;
  private readonly name = element('span', 'jp-twinkle-side-name');
  private readonly facts = element('div', 'jp-twinkle-side-facts');
  private readonly chat: HTMLButtonElement;
  private readonly more: HTMLButtonElement;

  constructor(adapter: Adapter, context: SectionContext) {
    const args = { adapter: adapter.name };
    this.chat = iconButton('chat', '', () => void context.commands.execute(Commands.chat, args));
    const menu = [Commands.chat, Commands.export, Commands.deleteAdapter].map(command => ({ command, args }));
    this.more = iconButton('more', '', () => context.openMenu(this.more, menu));
    const head = element('div', 'jp-twinkle-side-head', {}, this.name, this.chat, this.more);
    this.node = element('li', 'jp-twinkle-side-item', { 'data-adapter': adapter.name }, head, this.facts);
    this.node.oncontextmenu = event => {
      event.preventDefault();
      event.stopPropagation();
      context.openMenu(this.more, menu);
    };
  }

  show(adapter: Adapter): void {
    setText(this.name, adapter.name);
    setAttribute(this.name, 'title', adapter.name);
    const by = adapter.origin === 'tinker' ? ['by a client'] : [];
    const parts = [`rank ${adapter.rank}`, `step ${formatCount(adapter.step)}`, shortModelName(adapter.base_model), ...by];
    setText(this.facts, parts.join(' · '));
    setAttribute(this.facts, 'title', adapter.folder || adapter.base_model);
    nameButton(this.chat, `Chat with ${adapter.name}`);
    nameButton(this.more, `More for ${adapter.name}`);
  }
}
