/** Commands that begin with a file: train on it now, or put a cell that does into the notebook. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog, type IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { argument, described } from './args';
import { insertCell } from './cells';
import { twinkleIcon } from './icons';
import { Commands } from './ids';
import type { Requests } from './requests';
import { askAndTrain, type TrainDefaults } from './trainDialog';
import { isDataFile, quoted, trainCell } from './words';

export interface TrainContext {
  readonly requests: Requests;
  readonly documents: IDocumentManager | null;
  readonly browsers: IFileBrowserFactory | null;
  readonly notebooks: INotebookTracker | null;
  readonly defaults: () => TrainDefaults;
}

export function addTrainCommands(app: JupyterFrontEnd, context: TrainContext): void {
  const { commands } = app;
  const local = (path: string) => app.serviceManager.contents.localPath(path);

  commands.addCommand(Commands.train, {
    label: args => (args['isMenu'] === true ? 'Train an Adapter on This File…' : args['isLauncher'] === true ? 'Train an adapter' : 'Train an Adapter on a File…'),
    caption: 'Start a training run on a file of conversations',
    icon: twinkleIcon,
    describedBy: described({ path: 'a file of the file browser; asked for if missing' }),
    // In the file browser's menu only for what can hold conversations.
    isVisible: args => args['isMenu'] !== true || selectedFile(context) !== '',
    execute: async args => {
      const given = argument(args, 'path') || (args['isMenu'] === true ? selectedFile(context) : '');
      const path = given || (await pickFile(context));
      if (path === '') {
        return;
      }
      await askAndTrain(path, context.defaults(), async config => {
        const started = await context.requests.train(local(path), config);
        await commands.execute(Commands.openRun, { run: started.runId, adapter: started.adapter, isNew: true });
      });
    }
  });
  commands.addCommand(Commands.insertTrain, {
    label: args => (args['toolbar'] === true ? '' : 'Insert a Training Cell for a File…'),
    caption: 'Insert a cell that trains an adapter on a file',
    icon: twinkleIcon,
    describedBy: described({ path: 'a file; asked for if missing' }),
    execute: async args => {
      const path = argument(args, 'path') || (await pickFile(context));
      const notebook = context.notebooks?.currentWidget?.context.path ?? '';
      if (path !== '') {
        insertCell(app.shell, context.notebooks, trainCell(local(path), local(notebook)));
      }
    }
  });
  commands.addCommand(Commands.insertShow, {
    label: 'Insert a Cell That Shows It',
    caption: 'Put “%twinkle show” into the notebook at hand, or into the clipboard',
    describedBy: described({ run: 'a run’s id' }),
    execute: args => insertCell(app.shell, context.notebooks, `%twinkle show ${quoted(argument(args, 'run'))}`)
  });
}

/** The one data file that is selected in the file browser; else empty. */
function selectedFile({ browsers }: TrainContext): string {
  const items = [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
  const [item] = items;
  return items.length === 1 && item !== undefined && item.type !== 'directory' && isDataFile(item.path) ? item.path : '';
}

async function pickFile({ documents }: TrainContext): Promise<string> {
  if (documents === null) {
    return '';
  }
  const chosen = await FileDialog.getOpenFiles({
    manager: documents,
    title: 'Conversations to train on: JSONL, CSV or Parquet',
    filter: model => (model.type === 'directory' || isDataFile(model.path) ? {} : null)
  });
  const [file] = chosen.button.accept ? (chosen.value ?? []) : [];
  return file !== undefined && file.type !== 'directory' ? file.path : '';
}
