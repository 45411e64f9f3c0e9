/** Draws `application/vnd.twinkle.runs+json` in JupyterLab and Notebook 7: several runs in one plot. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { parseRunsBundle } from '../bundleParsing';
import { createUplotPlot } from '../panels/chart/uplotPlot';
import { RunsPanel } from '../panels/runs/panel';
import { runsBundleOf, runsHtml, runsText } from '../panels/runs/picture';
import { RUNS_MIME_TYPE, type RunsBundle } from '../wire';
import { pathOf } from './documentPath';
import { PictureKeeper, PLOTLY_MIME_TYPE } from './pictureKeeper';
import type { RunRendererContext } from './run';
import { WebsocketTransport } from './websocketTransport';

/** The factory for the notebook's registry. It runs nothing from the notebook, hence `safe`. */
export function runsRendererFactory(context: RunRendererContext): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [RUNS_MIME_TYPE],
    createRenderer: options => new RunsRenderer(context, options)
  };
}

class RunsRenderer extends Widget implements IRenderMime.IRenderer {
  private names = '';
  private panel: RunsPanel | null = null;
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
    const bundle = parseRunsBundle(model.data[RUNS_MIME_TYPE]);
    if (bundle === null) {
      this.node.textContent = 'This output names no run.';
      return Promise.resolve();
    }
    if (this.panel === null || namesOf(bundle) !== this.names) {
      this.open(bundle);
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

  private open(bundle: RunsBundle): void {
    this.panel?.dispose();
    this.names = namesOf(bundle);
    this.panel = new RunsPanel({
      bundle,
      transportOf: run => new WebsocketTransport(run.run_id, this.context.settings),
      createPlot: createUplotPlot,
      onChange: areOver => {
        if (areOver) {
          this.keeper.writeIfLeased();
        }
      }
    });
    this.node.replaceChildren(this.panel.node);
  }

  private pictureBeyond(stored: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
    const views = this.panel?.views ?? [];
    const known = parseRunsBundle(stored[RUNS_MIME_TYPE])?.runs ?? [];
    const isNewer = views.some((view, place) => view.lastEventId > (known[place]?.snapshot?.last_event_id ?? 0));
    if (!isNewer) {
      return null;
    }
    // The kernel's own figure would be older than the rest.
    return {
      [RUNS_MIME_TYPE]: runsBundleOf(views),
      [PLOTLY_MIME_TYPE]: undefined,
      'text/html': runsHtml(views),
      'text/plain': runsText(views)
    };
  }

  private readonly onThemeChanged = (): void => {
    this.panel?.recolour();
  };
}

function namesOf(bundle: RunsBundle): string {
  return bundle.runs.map(run => run.run_id).join(' ');
}
