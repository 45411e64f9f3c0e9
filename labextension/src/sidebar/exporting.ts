/** An adapter as files elsewhere: asks for the form and the folder, and tells how it goes. */

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Widget } from '@lumino/widgets';
import type { ExportState } from '../adaptersWire';
import { chosenFormat, formatChoice, type ExportFormat } from '../panels/adapters/formats';
import { element } from '../panels/dom';
import { isPassing } from '../panels/transport';
import { attempt } from './dialogs';
import type { Requests } from './requests';

const POLL_MS = 1000;
/** Of a large model to a slow disk; it goes on without being watched after that. */
const WATCH_MS = 3_600_000;

export async function exportAdapter(requests: Requests, adapter: string, root: string): Promise<void> {
  const form = new ExportForm(adapter, root);
  const buttons = [Dialog.cancelButton(), Dialog.okButton({ label: 'Export' })];
  const asked = await showDialog({ title: `Export ${adapter}`, body: form, buttons, focusNodeSelector: 'select' });
  if (!asked.button.accept || asked.value === null) {
    return;
  }
  const { format, folder } = asked.value;
  await attempt(async () => {
    const begun = await requests.startExport(adapter, format, folder);
    const ended = watchExport(requests, adapter, begun);
    Notification.promise(ended, {
      pending: { message: `${adapter} is being written to ${begun.folder}` },
      success: { message: said => String(said) },
      error: { message: () => `${adapter} was not exported.` }
    });
    await ended;
  });
}

/** Ask how far it is until it has ended; resolves with what there is to say, rejects with why there is nothing. */
export async function watchExport(requests: Pick<Requests, 'readExport'>, adapter: string, begun: ExportState): Promise<string> {
  const until = Date.now() + WATCH_MS;
  let known = begun;
  while (known.state === 'running') {
    if (Date.now() >= until) {
      return `${adapter} is still being written to ${known.folder}`;
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
    try {
      known = await requests.readExport(begun.exportId);
    } catch (error) {
      if (!isPassing(error)) {
        throw error;
      }
    }
  }
  if (known.state !== 'finished') {
    throw new Error(known.message || `The export was ${known.state}.`);
  }
  return `${adapter} is in ${known.folder}`;
}

class ExportForm extends Widget implements Dialog.IBodyWidget<{ format: ExportFormat; folder: string }> {
  private readonly format = formatChoice('jp-mod-styled');
  private readonly folder: HTMLInputElement;
  private isTouched = false;

  constructor(adapter: string, root: string) {
    super();
    this.addClass('jp-twinkle-form');
    this.folder = element('input', 'jp-mod-styled', { type: 'text', name: 'folder' });
    const suggest = () => {
      if (!this.isTouched) {
        this.folder.value = PathExt.join(root, 'exports', `${adapter}-${this.format.value}`);
      }
    };
    this.format.onchange = suggest;
    this.folder.oninput = () => {
      this.isTouched = true;
    };
    suggest();
    this.node.append(
      element('label', '', {}, 'Format', this.format),
      element('label', '', {}, 'Folder on the service’s machine, not there yet', this.folder)
    );
  }

  getValue() {
    return { format: chosenFormat(this.format), folder: this.folder.value.trim() };
  }
}
