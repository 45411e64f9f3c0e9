/** New cells in the notebook at hand. */

import { Clipboard, Notification } from '@jupyterlab/apputils';
import { NotebookActions, type INotebookTracker } from '@jupyterlab/notebook';
import { withLoading } from './words';

/** Put a magic into a new cell below the active one; without a notebook, into the clipboard. */
export function insertCell(notebooks: INotebookTracker | null, cell: string): void {
  const notebook = notebooks?.currentWidget?.content ?? null;
  const others = [...(notebook?.model?.cells ?? [])].map(one => one.sharedModel.getSource());
  const source = withLoading(cell, others);
  if (notebook === null) {
    Clipboard.copyToSystem(source);
    Notification.info('No notebook is open: the clipboard has the lines for a cell.');
    return;
  }
  const active = notebook.activeCell;
  // An empty cell is what people insert to have something put there.
  const isFree = active?.model.type === 'code' && active.model.sharedModel.getSource().trim() === '';
  if (!isFree) {
    NotebookActions.insertBelow(notebook);
  }
  notebook.activeCell?.model.sharedModel.setSource(source);
  notebook.activate();
}
