/** A button of a panel: what it does is told by `data-action`. */

import { element, setAttribute } from './dom';

export function button(action: string, label: string): HTMLButtonElement {
  return element('button', 'jp-twinkle-button', { type: 'button', 'data-action': action }, label);
}

/**
 * Act on what was meant for this button. Where another comes into a button's place, or another meaning,
 * the second click of a double click and the repeats of a held key are still for what was there.
 */
export function onPress(pressed: HTMLButtonElement, act: () => void): void {
  pressed.onclick = event => {
    if (event.detail < 2 && pressed.getAttribute('aria-disabled') !== 'true') {
      act();
    }
  };
  pressed.onkeydown = event => {
    if (event.repeat && event.key === 'Enter') {
      event.preventDefault();
    }
  };
}

/** Until what it asked for has come an `onPress` button does nothing. It keeps the focus, which a disabled one loses. */
export function setWaiting(pressed: HTMLButtonElement, isWaiting: boolean): void {
  setAttribute(pressed, 'aria-disabled', String(isWaiting));
}
