/** A list whose rows stay what they are while their items change, so that the focus stays in one. */

import { element } from '../panels/dom';

export interface Row<Item> {
  readonly node: HTMLElement;
  show(item: Item): void;
}

export class KeyedList<Item> {
  readonly node: HTMLElement;
  private rows = new Map<string, Row<Item>>();

  constructor(
    label: string,
    private readonly keyOf: (item: Item) => string,
    private readonly make: (item: Item) => Row<Item>
  ) {
    this.node = element('ul', 'jp-twinkle-side-list', { 'aria-label': label });
  }

  show(items: readonly Item[]): void {
    const rows = new Map<string, Row<Item>>();
    for (const item of items) {
      const key = this.keyOf(item);
      const row = this.rows.get(key) ?? this.make(item);
      row.show(item);
      rows.set(key, row);
    }
    for (const [key, row] of this.rows) {
      if (!rows.has(key)) {
        row.node.remove();
      }
    }
    this.rows = rows;
    this.place([...rows.values()].map(row => row.node));
    this.node.hidden = items.length === 0;
  }

  /** A row that moves would lose the focus. */
  private place(nodes: readonly HTMLElement[]): void {
    const focused = this.node.contains(document.activeElement) ? document.activeElement : null;
    nodes.forEach((node, place) => {
      if (this.node.children[place] !== node) {
        this.node.insertBefore(node, this.node.children[place] ?? null);
      }
    });
    if (focused instanceof HTMLElement && focused !== document.activeElement) {
      focused.focus();
    }
  }
}
