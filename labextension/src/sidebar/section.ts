/** A part of the sidebar: what there is, or what to do where there is nothing. */

import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { element, setText } from '../panels/dom';
import { wordButton } from './buttons';
import { Commands } from './ids';
import type { Overview } from './model';

export interface SectionContext {
  readonly commands: CommandRegistry;
  /** Open a menu of these commands at a button. */
  readonly openMenu: (at: HTMLElement, items: readonly MenuItem[]) => void;
}

export interface MenuItem {
  readonly command: string;
  readonly args: Readonly<Record<string, string | number>>;
}

export abstract class Section extends Widget {
  protected readonly body = element('div', 'jp-twinkle-side-body');
  private readonly name = element('summary', 'jp-twinkle-side-title');
  private readonly empty = new EmptyState();
  private known: Overview | null = null;

  constructor(
    name: string,
    private readonly heading: string,
    protected readonly context: SectionContext,
    isOpen = true
  ) {
    super({ node: element('details', 'jp-twinkle-side-section', { 'data-section': name }) });
    this.isOpen = isOpen;
    this.node.append(this.name, this.empty.node, this.body);
    this.node.ontoggle = () => this.known !== null && this.tell(this.known);
  }

  get isOpen(): boolean {
    return this.node.hasAttribute('open');
  }

  set isOpen(isOpen: boolean) {
    this.node.toggleAttribute('open', isOpen);
  }

  /** Show what is known; called only while it can be seen. */
  tell(overview: Overview): void {
    this.known = overview;
    const count = overview.isKnown ? this.count(overview) : 0;
    this.empty.node.classList.toggle('jp-twinkle-mod-muted', !overview.isKnown && !this.whileUnknown(overview).hasButton);
    setText(this.name, count > 0 && this.isCounted ? `${this.heading} (${count})` : this.heading);
    this.node.classList.toggle('jp-twinkle-mod-away', !overview.isLive);
    const isEmpty = !overview.isKnown || count === 0;
    this.body.hidden = isEmpty;
    this.empty.node.hidden = !isEmpty;
    if (!isEmpty) {
      this.fill(overview);
    } else if (overview.isKnown) {
      const { words, command, label: name } = this.whenEmpty();
      this.empty.show(words, name, () => void this.context.commands.execute(command), command !== '');
    } else {
      const { words, hasButton } = this.whileUnknown(overview);
      this.empty.show(words, 'Start the service', () => void this.context.commands.execute(Commands.startService), hasButton);
    }
  }

  /** What is said before the service has answered for the first time; the first section says more. */
  protected whileUnknown(overview: Overview): { readonly words: string; readonly hasButton: boolean } {
    const isAway = overview.link === 'live' && overview.phase !== 'ready';
    return { words: isAway ? 'Shown once the service runs.' : '', hasButton: false };
  }

  /** Whether the heading says how many there are. */
  protected get isCounted(): boolean {
    return true;
  }

  /** How many there are; 0 shows what to do instead. */
  protected abstract count(overview: Overview): number;
  protected abstract fill(overview: Overview): void;
  protected abstract whenEmpty(): { readonly words: string; readonly command: string; readonly label: string };
}

class EmptyState {
  private readonly words = element('p', 'jp-twinkle-side-words');
  private readonly button = wordButton('empty', '', () => undefined, true);
  readonly node = element('div', 'jp-twinkle-side-empty', {}, this.words, this.button);

  show(words: string, label: string, act: () => void, hasButton: boolean): void {
    setText(this.words, words);
    setText(this.button, label);
    this.button.onclick = act;
    this.button.hidden = !hasButton;
  }
}

export function isStartable(overview: Overview): boolean {
  return overview.link === 'live' && overview.canStart && (overview.phase === 'stopped' || overview.phase === 'failed');
}

/** One sentence about a service that is not answering. */
export function whileUnknown(overview: Overview): string {
  if (overview.link === 'connecting') {
    return 'Connecting…';
  }
  if (overview.link === 'no-extension') {
    return 'This Jupyter server runs without twinkle_jupyter. Install it in the server’s environment and restart the server.';
  }
  if (overview.link === 'lost') {
    return 'The Jupyter server does not answer; trying again.';
  }
  if (overview.phase === 'stopped') {
    return 'The training service is not running.';
  }
  const said = overview.message.replace(/[.…]$/, '');
  if (overview.phase === 'failed') {
    return `${said || 'The service could not be started'}. “%twinkle log” shows its log.`;
  }
  return `${said || 'The service is starting'}…`;
}
