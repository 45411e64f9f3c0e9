/** What is said about the step under the pointer, beside it and never under it. */

import { element } from '../dom';

const GAP = 14;

export class Tip {
  readonly node = element('div', 'jp-twinkle-tip', { role: 'status', hidden: '' });

  /** Say these lines at so many pixels from the left; nothing where there are none. */
  show(left: number, lines: readonly (readonly [name: string, value: string])[]): void {
    this.node.replaceChildren(
      ...lines.map(([name, value]) =>
        element('div', 'jp-twinkle-tip-line', {}, element('b', '', {}, name), ` ${value}`)
      )
    );
    this.node.hidden = lines.length === 0;
    const width = this.node.parentElement?.clientWidth ?? 0;
    const isRight = left > width / 2;
    // A transform moves it without a layout of anything else.
    const x = isRight ? left - GAP - this.node.offsetWidth : left + GAP;
    this.node.style.transform = `translateX(${Math.max(0, x).toFixed(0)}px)`;
  }

  hide(): void {
    this.node.hidden = true;
  }
}
