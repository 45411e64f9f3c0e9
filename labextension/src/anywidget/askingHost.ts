/**
 * The anywidget module of the token ribbon and the chat, for VS Code, Colab and plain notebooks. Its
 * model has the trait `content`: what the MIME type holds.
 */

import { parseChatBundle, parseTokensBundle } from '../asking';
import { ChatPanel } from '../panels/chat/panel';
import { TokensPanel } from '../panels/tokens/panel';
import { CommAsker } from './commAsker';
import type { WidgetModel } from './commTransport';

interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
}

function render({ model, el }: RenderContext): () => void {
  const content = model.get('content');
  const asker = new CommAsker(model);
  const tokens = parseTokensBundle(content);
  const chat = parseChatBundle(content);
  if (tokens === null && chat === null) {
    el.textContent = 'This output holds neither tokens nor a chat.';
    return () => undefined;
  }
  const nothing = (): void => undefined;
  const panel = tokens !== null ? new TokensPanel(tokens, asker, nothing) : chat !== null ? new ChatPanel(chat, asker, nothing) : null;
  if (panel !== null) {
    el.append(panel.node);
  }
  return () => panel?.dispose();
}

export default { render };
