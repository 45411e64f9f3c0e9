/** A button of a panel: what it does is told by `data-action`. */

import { element } from './dom';

export function button(action: string, label: string): HTMLButtonElement {
  return element('button', 'jp-twinkle-button', { type: 'button', 'data-action': action }, label);
}
