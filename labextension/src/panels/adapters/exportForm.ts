/** Writes an adapter into a folder: what as, where to, and how far it is. */

import { parseExportState, type AdapterLine, type ExportState } from '../../adaptersWire';
import type { Asker } from '../asker';
import { button } from '../button';
import { element, setText } from '../dom';
import { entry, keepKeys, labelled, onEnter } from '../entry';
import { formatMemory } from '../format';
import { isPassing } from '../transport';
import { formatChoice } from './formats';

const POLL_MS = 400;

export class ExportForm {
  readonly node: HTMLElement;
  private readonly title = element('span', 'jp-twinkle-steer-title');
  private readonly format = formatChoice('jp-twinkle-entry');
  private readonly folder = entry('folder', 'text');
  private readonly begin = button('export-begin', 'Export');
  private readonly end = button('export-cancel', 'Close');
  private readonly said = element('div', 'jp-twinkle-steer-said', { role: 'status' });
  private adapter: AdapterLine | null = null;
  private exportId = '';
  private isTyped = false;
  private isDisposed = false;

  constructor(
    private readonly asker: Asker,
    private readonly exportFolder: string
  ) {
    this.format.onchange = () => this.suggest();
    this.format.onkeydown = keepKeys;
    this.folder.oninput = () => {
      this.isTyped = true;
    };
    onEnter(this.folder, () => this.begin.click());
    this.begin.onclick = () => void this.act();
    this.end.onclick = () => void this.close();
    this.node = element(
      'div',
      'jp-twinkle-export',
      { role: 'group', 'aria-label': 'Export', hidden: '' },
      this.title,
      element('div', 'jp-twinkle-steer-row', {}, labelled('As', this.format), labelled('Folder', this.folder), this.begin, this.end),
      this.said
    );
  }

  open(adapter: AdapterLine): void {
    this.node.hidden = false;
    if (!this.begin.disabled) {
      this.adapter = adapter;
      this.isTyped = false;
      this.suggest();
      this.tell('', false);
    }
    setText(this.title, `Export ${this.adapter?.name ?? ''}`);
    this.format.focus();
  }

  dispose(): void {
    this.isDisposed = true;
  }

  private suggest(): void {
    if (!this.isTyped && this.adapter !== null) {
      this.folder.value = `${this.exportFolder}/${this.adapter.name.replaceAll(':', '-')}-${this.format.value}`;
    }
  }

  private async act(): Promise<void> {
    const { adapter } = this;
    const folder = this.folder.value.trim();
    if (adapter === null || !folder.startsWith('/')) {
      this.tell('The folder must be absolute: it begins with /.', true);
      return;
    }
    this.begin.disabled = true;
    try {
      await this.run(adapter.name, { format: this.format.value, folder });
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
    } finally {
      this.exportId = '';
      this.begin.disabled = false;
      setText(this.end, 'Close');
    }
  }

  private async run(name: string, wanted: Readonly<Record<string, string>>): Promise<void> {
    this.tell('…', false);
    let now = parseExportState(await this.asker.ask('export', { name, wanted }));
    this.exportId = now.exportId;
    setText(this.end, 'Cancel');
    this.tell(progressOf(now), false);
    while (now.state === 'running' && !this.isDisposed) {
      await new Promise(resolve => setTimeout(resolve, POLL_MS));
      try {
        now = parseExportState(await this.asker.ask('export-state', { export_id: this.exportId }));
        this.tell(progressOf(now), false);
      } catch (error) {
        if (!isPassing(error)) {
          throw error;
        }
        this.tell(error.message, true);
      }
    }
    const isDone = now.state === 'finished';
    const done = `${name} is in ${now.folder}, ${formatMemory(now.sizeBytes)}.`;
    this.tell(isDone ? done : now.message || `The export was ${now.state}.`, !isDone);
  }

  private async close(): Promise<void> {
    if (this.exportId === '') {
      this.node.hidden = true;
      return;
    }
    try {
      await this.asker.ask('export-cancel', { export_id: this.exportId });
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
    }
  }

  private tell(text: string, isProblem: boolean): void {
    this.said.classList.toggle('jp-twinkle-mod-problem', isProblem);
    setText(this.said, text);
  }
}

function progressOf(now: ExportState): string {
  return `Writing, ${Math.round(100 * now.fraction)} %`;
}
