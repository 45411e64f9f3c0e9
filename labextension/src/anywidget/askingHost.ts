/**
 * The anywidget module of the token ribbon, the chat and the adapters, for VS Code, Colab and plain notebooks. Its
 * model has the trait `content`: what the MIME type holds.
 */

import { parseAdaptersBundle } from '../adaptersWire';
import { parseChatBundle, parseTokensBundle } from '../asking';
import { AdaptersPanel } from '../panels/adapters/panel';
import { ChatPanel } from '../panels/chat/panel';
import { TokensPanel } from '../panels/tokens/panel';
import type { Disposable } from '../panels/transport';
import { CommAsker } from './commAsker';
import type { WidgetModel } from './commTransport';

interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
}

function render({ model, el }: RenderContext): () => void {
  const panel = panelOf(model.get('content'), new CommAsker(model));
  if (panel === null) {
    el.textContent = 'This output holds nothing that can be shown.';
    return () => undefined;
  }
  el.append(panel.node);
  return () => panel.dispose();
}

function panelOf(content: unknown, asker: CommAsker): (Disposable & { readonly node: HTMLElement }) | null {
  const nothing = (): void => undefined;
  const tokens = parseTokensBundle(content);
  if (tokens !== null) {
    return new TokensPanel(tokens, asker, nothing);
  }
  const chat = parseChatBundle(content);
  if (chat !== null) {
    return new ChatPanel(chat, asker, nothing);
  }
  const adapters = parseAdaptersBundle(content);
  return adapters === null ? null : new AdaptersPanel(adapters, asker);
}

export default { render };
