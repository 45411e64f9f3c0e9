/** New cells in the notebook at hand. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, Notification } from '@jupyterlab/apputils';
import { NotebookActions, type INotebookTracker } from '@jupyterlab/notebook';
import { withLoading } from './words';

/** Put a magic into a new cell below the active one and bring its notebook to the front; without one, into the clipboard. */
export function insertCell(shell: JupyterFrontEnd.IShell, notebooks: INotebookTracker | null, cell: string): void {
  const tab = notebooks?.currentWidget ?? null;
  const others = [...(tab?.content.model?.cells ?? [])].map(one => one.sharedModel.getSource());
  const source = withLoading(cell, others);
  if (tab === null) {
    Clipboard.copyToSystem(source);
    Notification.info('No notebook is open: the clipboard has the lines for a cell.');
    return;
  }
  const notebook = tab.content;
  const active = notebook.activeCell;
  // An empty cell is what people insert to have something put there.
  const isFree = active?.model.type === 'code' && active.model.sharedModel.getSource().trim() === '';
  if (!isFree) {
    NotebookActions.insertBelow(notebook);
  }
  notebook.activeCell?.model.sharedModel.setSource(source);
  // It may be behind the tab that is looked at.
  shell.activateById(tab.id);
  notebook.activate();
}
