/**
 * Draws `application/vnd.twinkle.run+json` in JupyterLab and Notebook 7: the run's panel over the
 * server extension's websocket. Rendering the same run again, as writing its picture causes, keeps
 * the panel.
 */

import type { IThemeManager } from '@jupyterlab/apputils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ServerConnection } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';
import { isOver } from '../panels/run/model';
import { RunPanel } from '../panels/run/panel';
import { pictureFigure, pictureHtml, pictureText } from '../panels/run/picture';
import { createUplotPlot } from '../panels/chart/uplotPlot';
import { snapshotOf } from '../panels/run/snapshots';
import { parseRunBundle } from '../bundleParsing';
import { RUN_MIME_TYPE, type RunBundle } from '../wire';
import { pathOf } from './documentPath';
import { PictureKeeper, PLOTLY_MIME_TYPE } from './pictureKeeper';
import { WebsocketTransport } from './websocketTransport';

export interface RunRendererContext {
  readonly settings: ServerConnection.ISettings;
  readonly themes: IThemeManager | null;
}

/** The factory for the notebook's registry. It runs nothing from the notebook, hence `safe`. */
export function runRendererFactory(context: RunRendererContext): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [RUN_MIME_TYPE],
    createRenderer: options => new RunRenderer(context, options)
  };
}

class RunRenderer extends Widget implements IRenderMime.IRenderer {
  private runId = '';
  private panel: RunPanel | null = null;
  private readonly keeper: PictureKeeper;

  constructor(
    private readonly context: RunRendererContext,
    options: IRenderMime.IRendererOptions
  ) {
    super();
    this.addClass('jp-twinkle-output');
    this.keeper = new PictureKeeper(
      () => pathOf(options.resolver),
      stored => this.pictureBeyond(stored)
    );
    context.themes?.themeChanged.connect(this.onThemeChanged);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const bundle = parseRunBundle(model.data[RUN_MIME_TYPE]);
    if (bundle === null) {
      this.node.textContent = 'This output names no run.';
      return Promise.resolve();
    }
    if (this.panel === null || bundle.run_id !== this.runId) {
      this.open(bundle);
    } else if (bundle.snapshot !== null) {
      this.panel.offerSnapshot(bundle.snapshot);
    }
    this.keeper.attach(model);
    return Promise.resolve();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.context.themes?.themeChanged.disconnect(this.onThemeChanged);
    this.keeper.dispose();
    this.panel?.dispose();
    super.dispose();
  }

  private open(bundle: RunBundle): void {
    this.panel?.dispose();
    this.runId = bundle.run_id;
    this.panel = new RunPanel({
      runId: bundle.run_id,
      adapter: bundle.adapter,
      snapshot: bundle.snapshot,
      transport: new WebsocketTransport(bundle.run_id, this.context.settings),
      createPlot: createUplotPlot,
      onChange: view => {
        if (isOver(view.state)) {
          this.keeper.writeIfLeased();
        }
      }
    });
    this.node.replaceChildren(this.panel.node);
  }

  private pictureBeyond(stored: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
    const view = this.panel?.newest ?? null;
    const snapshot = parseRunBundle(stored[RUN_MIME_TYPE])?.snapshot ?? null;
    if (view === null || (snapshot !== null && view.lastEventId <= snapshot.last_event_id)) {
      return null;
    }
    return {
      [RUN_MIME_TYPE]: { run_id: view.runId, adapter: view.adapter, snapshot: snapshotOf(view) },
      'text/html': pictureHtml(view),
      'text/plain': pictureText(view),
      ...(PLOTLY_MIME_TYPE in stored ? { [PLOTLY_MIME_TYPE]: pictureFigure(view) } : {})
    };
  }

  private readonly onThemeChanged = (): void => {
    this.panel?.recolour();
  };
}
