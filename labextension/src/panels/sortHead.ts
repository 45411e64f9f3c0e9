/** The head of a table that can be sorted: a button in each heading, and which way it is sorted. */

import { element, setAttribute, setText } from './dom';

export interface Order {
  readonly column: number;
  readonly isDescending: boolean;
}

export class SortHead {
  readonly node = element('tr', '');
  private shown = '';
  private now: Order;

  /** @param onSort A heading was pressed: show the rows in this order. */
  constructor(
    first: Order,
    private readonly onSort: () => void
  ) {
    this.now = first;
  }

  get order(): Order {
    return this.now;
  }

  /** @returns Whether there are other headings than before. */
  show(headings: readonly string[], numExtra = 0): boolean {
    const shown = headings.join('\n');
    const isOther = shown !== this.shown;
    if (isOther) {
      this.shown = shown;
      const extra = Array.from({ length: numExtra }, () => element('td', ''));
      this.node.replaceChildren(...headings.map((name, place) => this.heading(name, place)), ...extra);
      this.mark();
    }
    return isOther;
  }

  private heading(name: string, place: number): HTMLElement {
    const arrow = element('span', 'jp-twinkle-sort-arrow', { 'aria-hidden': 'true' });
    const press = element('button', 'jp-twinkle-sort', { type: 'button', 'data-sort': name }, name, arrow);
    press.onclick = () => {
      this.now = { column: place, isDescending: this.now.column === place && !this.now.isDescending };
      this.mark();
      this.onSort();
    };
    return element('th', '', { scope: 'col' }, press);
  }

  private mark(): void {
    for (const [place, heading] of [...this.node.querySelectorAll('th')].entries()) {
      const isSorted = place === this.now.column;
      setAttribute(heading, 'aria-sort', isSorted ? (this.now.isDescending ? 'descending' : 'ascending') : 'none');
      setText(heading.querySelector('.jp-twinkle-sort-arrow') ?? heading, isSorted ? (this.now.isDescending ? '▼' : '▲') : '');
    }
  }
}
