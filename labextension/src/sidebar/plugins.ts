/**
 * Two plugins, so that an administrator can take the sidebar away and leave the commands:
 * `twinkle-jupyter:training` has tabs, menus and cells, `twinkle-jupyter:sidebar` the sidebar.
 */

import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { addAdminCommands } from './admin/commands';
import { described } from './args';
import { OverviewFeed } from './feed';
import { twinkleIcon } from './icons';
import { CATEGORY, Commands } from './ids';
import { Requests } from './requests';
import { addRunCommands } from './runCommands';
import { Sidebar } from './sidebar';
import { addTabCommands } from './tabCommands';
import { addTrainCommands } from './trainCommands';
import type { TrainDefaults } from './trainDialog';

const TRAINING = 'twinkle-jupyter:training';
const SIDEBAR = 'twinkle-jupyter:sidebar';
/** Below JupyterLab's own tabs. */
const RANK = 650;

const FIRST_DEFAULTS: TrainDefaults = { rank: 8, steps: 0 };

export const training: JupyterFrontEndPlugin<void> = {
  id: TRAINING,
  description: 'Runs and chats in tabs, and training on files: commands, menus and cells.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher, ILabShell, ILayoutRestorer, ISettingRegistry, IThemeManager, IDocumentManager, IFileBrowserFactory, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    themes: IThemeManager | null,
    documents: IDocumentManager | null,
    browsers: IFileBrowserFactory | null,
    notebooks: INotebookTracker | null
  ): void => {
    const { serverSettings: settings, contents } = app.serviceManager;
    const requests = new Requests(settings);
    const defaults = readDefaults(registry);
    addTabCommands(app, { settings, contents, themes }, requests, shell, restorer);
    addAdminCommands(app, requests);
    addRunCommands(app, requests, PageConfig.getOption('twinkleFolder'));
    addTrainCommands(app, { requests, documents, browsers, notebooks, defaults });
    const inPalette = [Commands.train, Commands.insertTrain, Commands.openRun, Commands.chat, Commands.startService, Commands.stopService];
    inPalette.forEach(command => palette?.addItem({ command, category: CATEGORY }));
    launcher?.add({ command: Commands.train, args: { isLauncher: true }, category: 'Other', rank: 10 });
  }
};

export const sidebar: JupyterFrontEndPlugin<void> = {
  id: SIDEBAR,
  description: 'The sidebar: runs, adapters, checkpoints and the training service, live.',
  autoStart: true,
  optional: [ICommandPalette, ILabShell, ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null
  ): void => {
    if (PageConfig.getOption('twinkleSidebar') === 'false') {
      return;
    }
    const { serverSettings: settings } = app.serviceManager;
    const panel = new Sidebar(new OverviewFeed(settings), new Requests(settings), app.commands);
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(Commands.show, {
      label: 'Show Runs and Adapters',
      icon: twinkleIcon,
      describedBy: described({}),
      execute: () => app.shell.activateById(panel.id)
    });
    palette?.addItem({ command: Commands.show, category: CATEGORY });
    void registry?.load(SIDEBAR).then(loaded => {
      const place = () => {
        const side = loaded.get('side').composite === 'right' ? 'right' : 'left';
        const isThere = [...app.shell.widgets(side)].includes(panel);
        if (!isThere && shell !== null) {
          shell.add(panel, side, { rank: RANK });
        }
      };
      loaded.changed.connect(place);
      place();
    }, ignore);
  }
};

/** Settings that cannot be loaded leave what there is without them. */
function ignore(): void {}

/** What the dialog begins with: the newest settings, whenever it is opened. */
function readDefaults(registry: ISettingRegistry | null): () => TrainDefaults {
  let known = FIRST_DEFAULTS;
  void registry?.load(TRAINING).then(loaded => {
    const read = () => {
      const { rank, steps } = loaded.composite;
      known = { rank: typeof rank === 'number' ? rank : FIRST_DEFAULTS.rank, steps: typeof steps === 'number' ? steps : FIRST_DEFAULTS.steps };
    };
    loaded.changed.connect(read);
    read();
  }, ignore);
  return () => known;
}
