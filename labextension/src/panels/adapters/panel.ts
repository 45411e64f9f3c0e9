/**
 * The adapters as a table: whence each came, where it is and what it takes, with buttons to export
 * it and to go on in code. It knows neither JupyterLab nor the kernel.
 */

import type { AdapterLine, AdaptersBundle } from '../../adaptersWire';
import type { Asker } from '../asker';
import { button } from '../button';
import { copyText } from '../clipboard';
import { element, setAttribute, setText } from '../dom';
import { SortHead } from '../sortHead';
import type { Disposable } from '../transport';
import { adaptersLine, byLineage, COLUMNS, sortedLines, type Placed } from './cells';
import { adapterCode } from './code';
import { ExportForm } from './exportForm';
import { AdaptersReader, type AdaptersReading } from './reader';

const EMPTY = 'There is no adapter yet: %twinkle train DATA makes one.';

export class AdaptersPanel implements Disposable {
  readonly node: HTMLElement;
  private readonly counts = element('span', 'jp-twinkle-message');
  private readonly connection = element('span', 'jp-twinkle-connection', { role: 'status', 'aria-live': 'polite' });
  private readonly refresh = button('refresh', 'Refresh');
  private readonly head = new SortHead({ column: 0, isDescending: false }, () => this.draw());
  private readonly body = element('tbody', '');
  private readonly said = element('div', 'jp-twinkle-steer-said', { role: 'status' });
  private readonly form: ExportForm;
  private readonly reader: AdaptersReader;
  private readonly seeing: IntersectionObserver;
  private adapters: readonly AdapterLine[];
  private drawn = '';
  private isLive = false;

  constructor(
    bundle: AdaptersBundle,
    asker: Asker
  ) {
    this.adapters = bundle.adapters;
    this.form = new ExportForm(asker, bundle.exportFolder);
    this.reader = new AdaptersReader(asker, reading => this.take(reading), () => document.visibilityState === 'hidden');
    this.refresh.onclick = () => void this.reader.read();
    this.head.show(COLUMNS.map(column => column.heading), 1);
    const table = element('table', 'jp-twinkle-ranking', {}, element('thead', '', {}, this.head.node), this.body);
    const title = element('span', 'jp-twinkle-title', {}, 'Adapters');
    this.node = element(
      'section',
      'jp-twinkle-panel jp-twinkle-adapters',
      { role: 'region', 'aria-label': 'Adapters', 'data-twinkle-adapters': '' },
      element('div', 'jp-twinkle-head', {}, title, this.counts, this.connection, this.refresh),
      element('div', 'jp-twinkle-ranking-frame', { tabindex: '0', role: 'group', 'aria-label': 'Adapters' }, table),
      this.form.node,
      this.said
    );
    this.draw();
    this.seeing = new IntersectionObserver(entries => this.reader.see(entries.at(-1)?.isIntersecting ?? true));
    this.seeing.observe(this.node);
    void this.reader.read();
  }

  dispose(): void {
    this.reader.dispose();
    this.seeing.disconnect();
    this.form.dispose();
    this.node.remove();
  }

  private take(reading: AdaptersReading): void {
    this.isLive = !(reading instanceof Error);
    this.adapters = reading instanceof Error ? this.adapters : reading;
    setText(this.connection, reading instanceof Error ? `Saved list; ${reading.message}` : 'Live');
    setAttribute(this.node, 'data-connection', this.isLive ? 'live' : 'saved');
    this.draw();
  }

  /** Rows are made anew only where something has changed: what is focused stays so otherwise. */
  private draw(): void {
    setAttribute(this.node, 'data-adapters', String(this.adapters.length));
    setText(this.counts, this.adapters.length === 0 ? EMPTY : adaptersLine(this.adapters));
    const { column, isDescending } = this.head.order;
    const by = COLUMNS[column];
    const isTree = column === 0 || by === undefined;
    const placed = isTree ? byLineage(this.adapters) : sortedLines(this.adapters, by, isDescending);
    const shown = isTree && isDescending ? [...placed].reverse() : placed;
    const drawn = JSON.stringify([shown, this.isLive]);
    if (drawn === this.drawn) {
      return;
    }
    this.drawn = drawn;
    const focused = document.activeElement;
    const mark = focused instanceof HTMLElement && this.body.contains(focused) ? focused.dataset['mark'] : undefined;
    this.body.replaceChildren(...shown.map(one => this.row(one)));
    if (mark !== undefined) {
      const again = [...this.body.querySelectorAll<HTMLElement>('[data-mark]')].find(one => one.dataset['mark'] === mark);
      again?.focus({ preventScroll: true });
    }
  }

  private row({ one, depth }: Placed): HTMLElement {
    const cells = COLUMNS.map((column, place) => {
      const cell = element(place === 0 ? 'th' : 'td', '', place === 0 ? { scope: 'row' } : {}, column.text(one));
      if (place === 0) {
        cell.style.paddingLeft = `${depth * 1.2}em`;
        cell.prepend(...(depth > 0 ? [element('span', 'jp-twinkle-branch', { 'aria-hidden': 'true' }, '↳ ')] : []));
        cell.title = one.folder;
      }
      return cell;
    });
    const save = button('export', 'Export…');
    save.disabled = !this.isLive || one.folder === '';
    save.onclick = () => this.form.open(one);
    const code = button('copy-code', 'Copy code');
    code.onclick = () => void this.copyCode(one);
    for (const press of [save, code]) {
      press.setAttribute('aria-label', `${press === save ? 'Export' : 'Copy code of'} ${one.name}`);
      press.dataset['mark'] = `${press === save ? 'export' : 'code'} ${one.name}`;
    }
    const actions = element('td', 'jp-twinkle-row-actions', {}, save, ' ', code);
    return element('tr', '', { 'data-adapter': one.name, 'data-place': one.place }, ...cells, actions);
  }

  private async copyCode(one: AdapterLine): Promise<void> {
    const isCopied = await copyText(adapterCode(one));
    this.said.classList.toggle('jp-twinkle-mod-problem', !isCopied);
    setText(
      this.said,
      isCopied
        ? `The clipboard has a program that asks ${one.name}.`
        : 'The browser does not let a page fill the clipboard here.'
    );
  }
}
