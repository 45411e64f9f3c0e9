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

/** Select all, copy, paste, cut, redo and undo, where they are typed or lie on the keyboard. */
const EDITS = /^(?:Key)?[acvxyz]$/i;

/**
 * Keep what is typed from the notebook's own shortcuts. A character with Ctrl or ⌘ is still the
 * page's, as for saving, save those with which a field is edited.
 */
export function keepKeys(event: KeyboardEvent): void {
  const isHeld = (event.ctrlKey || event.metaKey) && !event.altKey; // AltGr is Ctrl and Alt: it types
  const isEditing = event.key.length > 1 || EDITS.test(event.key) || EDITS.test(event.code);
  if (!isHeld || isEditing) {
    event.stopPropagation();
  }
}

/** Whether Enter was pressed, and not to take what an input method offers. */
export function isEnter(event: KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.isComposing;
}

export function onEnter(input: HTMLInputElement, act: () => void): void {
  input.onkeydown = event => {
    keepKeys(event);
    if (isEnter(event)) {
      event.preventDefault();
      act();
    }
  };
}
