/** A run's panel and a chat as tabs of the main area, which live without a kernel and come back. */

import { MainAreaWidget, type IThemeManager } from '@jupyterlab/apputils';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';
import { FIRST_CHAT_SETTINGS, type ChatBundle } from '../asking';
import { createUplotPlot } from '../panels/chart/uplotPlot';
import { ChatPanel } from '../panels/chat/panel';
import { RunPanel } from '../panels/run/panel';
import { RestAsker } from '../renderers/restAsker';
import { WebsocketTransport } from '../renderers/websocketTransport';
import { twinkleIcon } from './icons';
import { chatTabId } from './ids';
import { KeptChat } from './keptChat';

export interface TabContext {
  readonly settings: ServerConnection.ISettings;
  readonly contents: Contents.IManager;
  readonly themes: IThemeManager | null;
}

export class RunTab extends MainAreaWidget {
  constructor(readonly run: string, readonly adapter: string, context: TabContext) {
    super({ content: new RunView(run, adapter, context) });
    this.id = `twinkle-run-${run}`;
    this.title.label = adapter;
    this.title.caption = `Run ${run} of adapter ${adapter}`;
    dress(this);
  }
}

export class ChatTab extends MainAreaWidget {
  constructor(readonly models: readonly string[], context: TabContext) {
    super({ content: new ChatView(models, context) });
    this.id = chatTabId(models);
    this.title.label = `Chat: ${models[0] ?? ''}`;
    this.title.caption = `Chat with ${models.join(', ')}`;
    dress(this);
  }
}

function dress(tab: MainAreaWidget): void {
  tab.title.icon = twinkleIcon;
  tab.title.closable = true;
  tab.toolbar.hide();
}

class RunView extends Widget {
  private readonly panel: RunPanel;

  constructor(run: string, adapter: string, private readonly context: TabContext) {
    super();
    this.addClass('jp-twinkle-tab');
    this.node.tabIndex = -1;
    this.panel = new RunPanel({
      runId: run,
      adapter,
      snapshot: null,
      transport: new WebsocketTransport(run, context.settings),
      createPlot: createUplotPlot
    });
    this.node.append(this.panel.node);
    context.themes?.themeChanged.connect(this.recolour);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.context.themes?.themeChanged.disconnect(this.recolour);
      this.panel.dispose();
      super.dispose();
    }
  }

  private readonly recolour = (): void => {
    this.panel.recolour();
  };
}

class ChatView extends Widget {
  private readonly kept: KeptChat;
  private readonly panel: ChatPanel;

  constructor(models: readonly string[], { settings, contents }: TabContext) {
    super();
    this.addClass('jp-twinkle-tab');
    this.node.tabIndex = -1;
    const fresh: ChatBundle = { chatId: `tab-${models.join('-')}`, models, system: '', settings: FIRST_CHAT_SETTINGS, turns: [] };
    this.kept = new KeptChat(settings.baseUrl, fresh);
    // Preferences go into the folder in which JupyterLab was started.
    const asker = new RestAsker(settings, contents, () => '');
    this.panel = new ChatPanel(this.kept.read(), asker, chat => this.kept.write(chat));
    this.node.append(this.panel.node);
  }

  /** The tab is closed; a reload of the page disposes of nothing. */
  override dispose(): void {
    if (!this.isDisposed) {
      this.panel.dispose();
      this.kept.forget();
      super.dispose();
    }
  }
}
