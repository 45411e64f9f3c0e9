/** The labextension: what JupyterLab and Notebook 7 load. Each plugin says what it adds, no more. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IThemeManager } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { askingRendererFactories } from './renderers/asking';
import { keepPicturesOf } from './renderers/pictureKeeper';
import { runRendererFactory } from './renderers/run';
import { runsRendererFactory } from './renderers/runs';
import { sweepRendererFactory } from './renderers/sweep';
import { sidebar, training } from './sidebar/plugins';

/** Before ipywidgets' -10: a bundle may carry a widget for front ends without this extension. */
const RANK = -20;

const runPanel: JupyterFrontEndPlugin<void> = {
  id: 'twinkle-jupyter:run-panel',
  description: 'Shows training runs live, one or several in one plot, with or without a kernel.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [IThemeManager],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    themes: IThemeManager | null
  ): void => {
    const settings = app.serviceManager.serverSettings;
    rendermime.addFactory(runRendererFactory({ settings, themes }), RANK);
    rendermime.addFactory(runsRendererFactory({ settings, themes }), RANK);
  }
};

const sweepPanel: JupyterFrontEndPlugin<void> = {
  id: 'twinkle-jupyter:sweep-panel',
  description: 'Shows a sweep live: all curves, and the ranking.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [IThemeManager],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry, themes: IThemeManager | null): void => {
    const settings = app.serviceManager.serverSettings;
    rendermime.addFactory(sweepRendererFactory({ settings, themes }), RANK);
  }
};

const askingPanels: JupyterFrontEndPlugin<void> = {
  id: 'twinkle-jupyter:asking-panels',
  description: 'Shows a row as tokens, chats with models side by side, and lists adapters.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry): void => {
    const { serverSettings: settings, contents } = app.serviceManager;
    for (const factory of askingRendererFactories({ settings, contents })) {
      rendermime.addFactory(factory, RANK);
    }
  }
};

const runPictures: JupyterFrontEndPlugin<void> = {
  id: 'twinkle-jupyter:run-pictures',
  description: 'Saves the newest picture of each run and sweep with the notebook.',
  autoStart: true,
  activate: (app: JupyterFrontEnd): void => {
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_widget: unknown, context: DocumentRegistry.Context) => {
        const onSaveState = (_sender: unknown, state: DocumentRegistry.SaveState): void => {
          if (state === 'started') {
            keepPicturesOf(context.path);
          }
        };
        context.saveState.connect(onSaveState);
      }
    });
  }
};

export default [runPanel, sweepPanel, askingPanels, runPictures, training, sidebar];
