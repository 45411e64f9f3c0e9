/**
 * The anywidget module of the token ribbon, the chat, the adapters and a sweep, for VS Code, Colab and plain notebooks. Its
 * model has the trait `content`: what the MIME type holds.
 */

import { parseAdaptersBundle } from '../adaptersWire';
import { parseChatBundle, parseTokensBundle } from '../asking';
import { AdaptersPanel } from '../panels/adapters/panel';
import { createSvgPlot } from '../panels/chart/svgPlot';
import { ChatPanel } from '../panels/chat/panel';
import { SweepPanel } from '../panels/sweep/panel';
import { TokensPanel } from '../panels/tokens/panel';
import type { Disposable } from '../panels/transport';
import { parseSweepBundle, type SweepBundle } from '../sweepWire';
import { CommAsker } from './commAsker';
import { CommSweep } from './commSweep';
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
  if (adapters !== null) {
    return new AdaptersPanel(adapters, asker);
  }
  const sweep = parseSweepBundle(content);
  return sweep === null ? null : sweepPanel(sweep, asker);
}

function sweepPanel({ sweepId, name, sweep: stored }: SweepBundle, asker: CommAsker): SweepPanel {
  return new SweepPanel({ sweepId, name, stored, transport: new CommSweep(asker, sweepId), createPlot: createSvgPlot });
}

export default { render };
