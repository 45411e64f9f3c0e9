/** Fields that a person fills in, and what keeps a notebook's own shortcuts away meanwhile. */

import { element } from './dom';

export function entry(name: string, inputMode: string): HTMLInputElement {
  const input = element('input', 'jp-twinkle-entry', { type: 'text', inputmode: inputMode, 'data-entry': name });
  input.autocomplete = 'off';
  return input;
}

export function labelled(text: string, field: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  field.setAttribute('aria-label', text);
  return element('div', 'jp-twinkle-steer-field', {}, element('span', 'jp-twinkle-steer-label', {}, text), field, ...more);
}

export function onEnter(input: HTMLInputElement, act: () => void): void {
  input.onkeydown = event => {
    event.stopPropagation();
    if (event.key === 'Enter') {
      event.preventDefault();
      act();
    }
  };
}
