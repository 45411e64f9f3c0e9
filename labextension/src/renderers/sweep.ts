/** Draws `application/vnd.twinkle.sweep+json` in JupyterLab and Notebook 7: the sweep's live panel. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { createUplotPlot } from '../panels/chart/uplotPlot';
import { isOver } from '../panels/run/model';
import { SweepPanel } from '../panels/sweep/panel';
import { sweepHtml, sweepText } from '../panels/sweep/picture';
import { parseSweepBundle, SWEEP_MIME_TYPE, type SweepBundle } from '../sweepWire';
import { pathOf } from './documentPath';
import { PictureKeeper, PLOTLY_MIME_TYPE } from './pictureKeeper';
import type { RunRendererContext } from './run';
import { SweepRoutes } from './sweepRoutes';

/** The factory for the notebook's registry. It runs nothing from the notebook, hence `safe`. */
export function sweepRendererFactory(context: RunRendererContext): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [SWEEP_MIME_TYPE],
    createRenderer: options => new SweepRenderer(context, options)
  };
}

class SweepRenderer extends Widget implements IRenderMime.IRenderer {
  private sweepId = '';
  private panel: SweepPanel | null = null;
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
    const bundle = parseSweepBundle(model.data[SWEEP_MIME_TYPE]);
    if (bundle === null) {
      this.node.textContent = 'This output names no sweep.';
      return Promise.resolve();
    }
    if (this.panel === null || bundle.sweepId !== this.sweepId) {
      this.open(bundle);
    } else {
      this.panel.offer(bundle.sweep);
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

  private open(bundle: SweepBundle): void {
    this.panel?.dispose();
    this.sweepId = bundle.sweepId;
    this.panel = new SweepPanel({
      sweepId: bundle.sweepId,
      name: bundle.name,
      stored: bundle.sweep,
      transport: new SweepRoutes(bundle.sweepId, this.context.settings),
      createPlot: createUplotPlot,
      onChange: sweep => {
        if (isOver(sweep.state)) {
          this.keeper.writeIfLeased();
        }
      }
    });
    this.node.replaceChildren(this.panel.node);
  }

  /** The picture, unless the output has this one already. */
  private pictureBeyond(stored: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
    const newest = this.panel?.newest ?? null;
    if (newest === null) {
      return null;
    }
    const { sweep, raw } = newest;
    const bundle = { sweep_id: sweep.sweepId, name: sweep.name, sweep: raw };
    if (JSON.stringify(bundle) === JSON.stringify(stored[SWEEP_MIME_TYPE])) {
      return null;
    }
    // The kernel's own figure would be older than the rest.
    return {
      [SWEEP_MIME_TYPE]: bundle,
      [PLOTLY_MIME_TYPE]: undefined,
      'text/html': sweepHtml(sweep),
      'text/plain': sweepText(sweep)
    };
  }

  private readonly onThemeChanged = (): void => {
    this.panel?.recolour();
  };
}
