/**
 * For admins: who uses what; not there for others. Folded at first: who has a service alone is its admin, and has no use
 * for it. It asks by itself while it is open and can be seen.
 */

import { Widget } from '@lumino/widgets';
import { element, setAttribute, setText } from '../../panels/dom';
import { iconButton, nameButton, wordButton } from '../buttons';
import { Commands } from '../ids';
import { KeyedList, type Row } from '../keyedList';
import type { Requests } from '../requests';
import type { SectionContext } from '../section';
import { parseUsage, type Usage, type UserLine } from './usage';

const POLL_MS = 3000;

/** What the service tells an admin; null while it cannot be asked. */
async function readUsage(requests: Requests): Promise<Usage | null> {
  try {
    return parseUsage(await requests.ask('GET', 'api/admin/overview'));
  } catch {
    return null;
  }
}

export class AdminSection extends Widget {
  private readonly models: KeyedList<UserLine>;
  private readonly users: KeyedList<UserLine>;
  private readonly foot = element('div', 'jp-twinkle-side-foot');
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = '';

  constructor(private readonly context: SectionContext, private readonly requests: Requests) {
    super({ node: element('details', 'jp-twinkle-side-section', { 'data-section': 'admin' }) });
    this.models = new KeyedList('Base models of everybody', line => line.user, line => new Line(line, null));
    this.users = new KeyedList('Users', line => line.user, line => new Line(line, context));
    this.node.append(element('summary', 'jp-twinkle-side-title', {}, 'Everybody'), this.foot, this.models.node, this.users.node);
    this.node.ontoggle = () => void this.read();
    void this.read().finally(() => this.poll());
  }

  override dispose(): void {
    clearTimeout(this.timer);
    super.dispose();
  }

  private tell(usage: Usage): void {
    this.models.show(usage.models);
    this.users.show(usage.users);
    const state = `${usage.isDrained} ${usage.hasBroadcast}`;
    if (state !== this.shown) {
      this.shown = state;
      const rest = usage.isDrained ? ['undrain', 'End the maintenance'] as const : ['drain', 'Maintenance…'] as const;
      const say = usage.hasBroadcast ? ['unsay', 'Take the message back'] as const : ['say', 'Tell everybody…'] as const;
      const buttons = [rest, say].map(([name, words]) => wordButton(name, words, () => void this.act(Commands[name])));
      this.foot.replaceChildren(...buttons);
    }
  }

  private async act(command: string): Promise<void> {
    await this.context.commands.execute(command);
    await this.read();
  }

  private poll(): void {
    if (!this.isDisposed) {
      this.timer = setTimeout(() => void this.read().finally(() => this.poll()), POLL_MS);
    }
  }

  private async read(): Promise<void> {
    const usage = (this.isVisible && this.node.hasAttribute('open')) || this.shown === '' ? await readUsage(this.requests) : null;
    if (usage !== null && !this.isDisposed) {
      this.tell(usage);
    }
  }
}

class Line implements Row<UserLine> {
  readonly node: HTMLElement;
  private readonly name = element('span', 'jp-twinkle-side-name');
  private readonly facts = element('div', 'jp-twinkle-side-facts');
  private readonly more: HTMLButtonElement;

  constructor(line: UserLine, context: SectionContext | null) {
    const menu = [{ command: Commands.limit, args: { user: line.user } }];
    this.more = iconButton('more', '', () => context?.openMenu(this.more, menu));
    this.more.hidden = context === null;
    const head = element('div', 'jp-twinkle-side-head', {}, this.name, this.more);
    this.node = element('li', 'jp-twinkle-side-item', { 'data-user': line.user }, head, this.facts);
  }

  show(line: UserLine): void {
    setText(this.name, line.user);
    setAttribute(this.name, 'title', line.user);
    setText(this.facts, line.facts);
    nameButton(this.more, `More for ${line.user}`);
  }
}
