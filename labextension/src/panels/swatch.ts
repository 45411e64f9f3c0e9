/** A tick that takes a curve out of a plot, with how the curve looks. */

import { element } from './dom';
import type { Look } from './sweep/looks';

export function curveTick(name: string, title: string, { colour, dash }: Look): { node: HTMLElement; tick: HTMLInputElement } {
  const tick = element('input', 'jp-twinkle-check', { type: 'checkbox' });
  tick.checked = true;
  const swatch = element('span', 'jp-twinkle-swatch', { 'aria-hidden': 'true' });
  swatch.style.background =
    dash === '' ? colour : `repeating-linear-gradient(90deg, ${colour} 0 5px, transparent 5px 8px)`;
  return { node: element('label', 'jp-twinkle-tool', { title }, tick, swatch, name), tick };
}
