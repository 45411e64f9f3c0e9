/** The sidebar: the service on top, then runs, adapters, checkpoints and what the service holds. */

import { SidePanel } from '@jupyterlab/ui-components';
import { MessageLoop, type Message } from '@lumino/messaging';
import { Menu, Panel } from '@lumino/widgets';
import { AdminSection } from './admin/section';
import { AdaptersSection } from './adaptersSection';
import { CheckpointsSection } from './checkpointsSection';
import type { OverviewFeed } from './feed';
import { SidebarHeader } from './header';
import { twinkleIcon } from './icons';
import type { Requests } from './requests';
import { RunsSection } from './runsSection';
import type { MenuItem, Section, SectionContext } from './section';
import { ServiceSection } from './serviceSection';
import type { CommandRegistry } from '@lumino/commands';

/** Redraws are not more often, however many frames come. */
const REDRAW_MS = 200;

export class Sidebar extends SidePanel {
  private readonly head: SidebarHeader;
  private readonly sections: readonly Section[];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isUsing = false;
  private admin: AdminSection | null = null;
  private readonly context: SectionContext;

  constructor(
    private readonly feed: OverviewFeed,
    private readonly requests: Requests,
    commands: CommandRegistry
  ) {
    super({ content: new Panel() });
    this.content.addClass('jp-twinkle-side-content');
    this.id = 'twinkle-sidebar';
    this.addClass('jp-twinkle-side');
    this.title.icon = twinkleIcon;
    this.title.caption = 'Twinkle: runs, adapters and the training service';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Twinkle');
    const context = this.context = { commands, openMenu: (at: HTMLElement, items: readonly MenuItem[]) => openMenu(commands, at, items) };
    this.head = new SidebarHeader(commands);
    this.header.addWidget(this.head);
    this.sections = [
      new RunsSection(context),
      new AdaptersSection(context),
      new CheckpointsSection(context, requests),
      new ServiceSection(context)
    ];
    this.sections.forEach(section => this.addWidget(section));
    feed.changed.connect(this.onChanged);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    clearTimeout(this.timer);
    this.look(false);
    this.feed.changed.disconnect(this.onChanged);
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look(this.isVisible);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.look(false);
  }

  /** Nothing is asked of anybody for a sidebar that nobody sees. */
  private look(isSeen: boolean): void {
    if (isSeen === this.isUsing) {
      return;
    }
    this.isUsing = isSeen;
    if (isSeen) {
      this.feed.use();
      this.draw();
    } else {
      this.feed.release();
    }
  }

  private readonly onChanged = (): void => {
    this.timer ??= setTimeout(() => this.draw(), REDRAW_MS);
  };

  private draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.isVisible || this.isDisposed) {
      return;
    }
    const overview = this.feed.current;
    this.head.tell(overview);
    this.sections.forEach(section => section.tell(overview));
    if (overview.isLive && overview.isAdmin && this.admin === null) {
      this.admin = new AdminSection(this.context, this.requests);
      this.addWidget(this.admin);
    }
    this.admin?.setHidden(!overview.isAdmin);
  }
}

function openMenu(commands: CommandRegistry, at: HTMLElement, items: readonly MenuItem[]): void {
  const menu = new Menu({ commands });
  items.forEach(({ command, args }) => menu.addItem({ command, args: { ...args } }));
  menu.aboutToClose.connect(() => {
    at.focus();
    // Its own handler of the click or key that closed it comes first.
    setTimeout(() => menu.dispose(), 0);
  });
  const { left, bottom } = at.getBoundingClientRect();
  menu.open(left, bottom);
  MessageLoop.flush();
  menu.activate();
}
