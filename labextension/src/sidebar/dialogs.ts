/** Questions before something is done that cannot be undone, and what went wrong. */

import { Dialog, Notification, showDialog, showErrorMessage } from '@jupyterlab/apputils';

/** Time for a sentence or two. */
export const TOAST_MS = 8000;

/** JupyterLab cuts longer ones, and what to do next comes last. */
const MOST_CHARACTERS = 140;

/** @param label What the button says that does it. */
export async function isConfirmed(title: string, body: string, label = 'Delete'): Promise<boolean> {
  const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label })];
  return (await showDialog({ title, body, buttons, defaultButton: 0 })).button.accept;
}

/** Do it; what goes wrong is said where JupyterLab says such things, to its end. True when it went well. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    tellProblem(error instanceof Error ? error.message : String(error));
    return false;
  }
}

function tellProblem(problem: string): void {
  if (problem.length > MOST_CHARACTERS) {
    void showErrorMessage('This was not done', problem);
  } else {
    Notification.error(problem, { autoClose: TOAST_MS });
  }
}
