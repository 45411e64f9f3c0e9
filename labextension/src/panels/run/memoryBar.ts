/** What a run is going to need of the memory that its machine has. */

import { element, setAttribute, setText } from '../dom';
import { formatMemory } from '../format';

/** From here on a person should know. */
const MUCH = 0.85;

export class MemoryBar {
  private readonly fill = element('div', 'jp-twinkle-bar-fill');
  private readonly bar = element(
    'div',
    'jp-twinkle-memory-bar',
    { role: 'meter', 'aria-label': 'Memory needed, estimated', 'aria-valuemin': '0', 'aria-valuemax': '1' },
    this.fill
  );
  private readonly words = element('span', 'jp-twinkle-answer-step');
  readonly node = element('div', 'jp-twinkle-memory', { hidden: '' }, this.bar, this.words);

  show(needed: number, thereIs: number): void {
    this.node.hidden = needed === 0 || thereIs === 0;
    if (this.node.hidden) {
      return;
    }
    const share = Math.min(1, needed / thereIs);
    this.fill.style.transform = `scaleX(${share.toFixed(3)})`;
    this.node.classList.toggle('jp-twinkle-mod-much', share >= MUCH);
    setAttribute(this.bar, 'aria-valuenow', share.toFixed(3));
    setText(this.words, `needs about ${formatMemory(needed)} of ${formatMemory(thereIs)}${share >= MUCH ? ': little is left' : ''}`);
  }
}
