/** The head of the sidebar: how the service is, and the button that changes it. */

import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { element, setAttribute, setText } from '../panels/dom';
import { wordButton } from './buttons';
import { Commands } from './ids';
import type { Overview } from './model';
import { isStartable, whileUnknown } from './section';

export class SidebarHeader extends Widget {
  private readonly words = element('span', 'jp-twinkle-side-health', { role: 'status', 'aria-live': 'polite' });
  private readonly start: HTMLButtonElement;
  private readonly train: HTMLButtonElement;
  private readonly notices = element('div', 'jp-twinkle-side-notices', { role: 'status' });

  constructor(commands: CommandRegistry) {
    super();
    this.addClass('jp-twinkle-side-header');
    this.start = wordButton('start-service', 'Start', () => void commands.execute(Commands.startService), true);
    this.train = wordButton('train', 'Train…', () => void commands.execute(Commands.train), true);
    this.start.setAttribute('aria-label', 'Start the training service');
    this.train.setAttribute('aria-label', 'Train an adapter on a file');
    this.node.append(this.words, this.start, this.train, this.notices);
  }

  tell(overview: Overview): void {
    const state = overview.isLive ? overview.phase : overview.link === 'live' && overview.phase !== 'ready' ? overview.phase : 'starting';
    setAttribute(this.node, 'data-phase', state);
    setAttribute(this.node, 'data-link', overview.link);
    setText(this.words, wordsOf(overview));
    setText(this.notices, overview.isLive ? overview.notices.join(' · ') : '');
    this.start.hidden = !isStartable(overview);
    this.train.hidden = !overview.isLive;
  }
}

function wordsOf(overview: Overview): string {
  if (!overview.isLive) {
    return whileUnknown(overview);
  }
  if (overview.phase === 'ready') {
    return 'Service running';
  }
  return `${overview.message.replace(/[.…]$/, '') || 'The service is starting'}…`;
}
