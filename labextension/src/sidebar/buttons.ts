/** Buttons of the sidebar: with a picture and a name for those who do not see it, or with words. */

import { element, setAttribute } from '../panels/dom';
import { smallIcon, type SMALL } from './icons';

export function iconButton(icon: keyof typeof SMALL, label: string, act: () => void): HTMLButtonElement {
  const made = element('button', 'jp-twinkle-side-icon', { type: 'button', 'data-action': icon }, smallIcon(icon));
  nameButton(made, label);
  made.onclick = act;
  return made;
}

/** The same button for something else: the focus stays on it. */
export function turnButton(button: HTMLButtonElement, icon: keyof typeof SMALL): void {
  if (button.dataset['action'] !== icon) {
    button.dataset['action'] = icon;
    button.replaceChildren(smallIcon(icon));
  }
}

export function nameButton(button: HTMLButtonElement, label: string): void {
  setAttribute(button, 'aria-label', label);
  setAttribute(button, 'title', label);
}

export function wordButton(action: string, words: string, act: () => void, isMain = false): HTMLButtonElement {
  const look = isMain ? 'jp-mod-accept' : 'jp-mod-reject';
  const made = element('button', `jp-Button jp-mod-styled ${look} jp-twinkle-side-button`, { type: 'button', 'data-action': action }, words);
  made.onclick = act;
  return made;
}
