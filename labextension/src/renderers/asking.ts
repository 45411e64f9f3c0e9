/** Draws the token ribbon, the chat and the adapters in JupyterLab and Notebook 7, with or without a kernel. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';
import { ADAPTERS_MIME_TYPE, parseAdaptersBundle } from '../adaptersWire';
import { CHAT_MIME_TYPE, chatJson, parseChatBundle, parseTokensBundle, TOKENS_MIME_TYPE } from '../asking';
import { AdaptersPanel } from '../panels/adapters/panel';
import { ChatPanel } from '../panels/chat/panel';
import { chatHtml, chatText } from '../panels/chat/picture';
import { TokensPanel } from '../panels/tokens/panel';
import type { Disposable } from '../panels/transport';
import { pathOf } from './documentPath';
import { PictureKeeper } from './pictureKeeper';
import { RestAsker } from './restAsker';

export interface AskingContext {
  readonly settings: ServerConnection.ISettings;
  readonly contents: Contents.IManager;
}

/** The factories for the notebook's registry. They run nothing from the notebook, hence `safe`. */
export function askingRendererFactories(context: AskingContext): IRenderMime.IRendererFactory[] {
  return [
    { safe: true, mimeTypes: [TOKENS_MIME_TYPE], createRenderer: options => new TokensRenderer(context, options) },
    { safe: true, mimeTypes: [CHAT_MIME_TYPE], createRenderer: options => new ChatRenderer(context, options) },
    { safe: true, mimeTypes: [ADAPTERS_MIME_TYPE], createRenderer: options => new AdaptersRenderer(context, options) }
  ];
}

abstract class AskingRenderer extends Widget implements IRenderMime.IRenderer {
  protected panel: (Disposable & { readonly node: HTMLElement }) | null = null;
  protected readonly asker: RestAsker;
  protected readonly path: () => string;

  constructor(context: AskingContext, options: IRenderMime.IRendererOptions) {
    super();
    this.addClass('jp-twinkle-output');
    this.path = () => pathOf(options.resolver);
    this.asker = new RestAsker(context.settings, context.contents, this.path);
  }

  abstract renderModel(model: IRenderMime.IMimeModel): Promise<void>;

  override dispose(): void {
    if (!this.isDisposed) {
      this.panel?.dispose();
      super.dispose();
    }
  }
}

class TokensRenderer extends AskingRenderer {
  private shown = '';

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[TOKENS_MIME_TYPE];
    const bundle = parseTokensBundle(data);
    if (bundle === null) {
      this.node.textContent = 'This output holds no tokens.';
      return Promise.resolve();
    }
    const text = JSON.stringify([bundle.title, bundle.messages, bundle.tools, bundle.reasoning]);
    if (text !== this.shown) {
      this.shown = text;
      this.panel?.dispose();
      this.panel = new TokensPanel(bundle, this.asker, () => undefined);
      this.node.replaceChildren(this.panel.node);
    }
    return Promise.resolve();
  }
}

class AdaptersRenderer extends AskingRenderer {
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const bundle = parseAdaptersBundle(model.data[ADAPTERS_MIME_TYPE]);
    if (bundle === null) {
      this.node.textContent = 'This output lists no adapters.';
      return Promise.resolve();
    }
    this.panel?.dispose();
    this.panel = new AdaptersPanel(bundle, this.asker);
    this.node.replaceChildren(this.panel.node);
    return Promise.resolve();
  }
}

class ChatRenderer extends AskingRenderer {
  private chat: ChatPanel | null = null;
  private readonly keeper = new PictureKeeper(
    () => this.path(),
    () => this.newPicture()
  );

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const bundle = parseChatBundle(model.data[CHAT_MIME_TYPE]);
    if (bundle === null) {
      this.node.textContent = 'This output names no model.';
      return Promise.resolve();
    }
    if (this.chat?.chatId === bundle.chatId) {
      this.chat.take(bundle);
    } else {
      this.chat?.dispose();
      // An output may have several views: each takes what another has written.
      this.panel = this.chat = new ChatPanel(bundle, this.asker, () => this.keeper.writeIfLeased());
      this.node.replaceChildren(this.chat.node);
    }
    this.keeper.attach(model);
    return Promise.resolve();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.keeper.dispose();
    }
    super.dispose();
  }

  private newPicture(): Record<string, unknown> | null {
    const chat = this.chat?.give() ?? null;
    return chat === null ? null : { [CHAT_MIME_TYPE]: chatJson(chat), 'text/html': chatHtml(chat), 'text/plain': chatText(chat) };
  }
}
