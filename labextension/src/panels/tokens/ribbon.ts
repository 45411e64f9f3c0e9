/**
 * A row as coloured tokens. One stop for the Tab key, arrows move along; each token says its id,
 * role and weight to a screen reader.
 */

import type { Token, TokenView } from '../../asking';
import { element, setText } from '../dom';
import { logprobText, shadeOf, type Shading } from './shading';

const KNOWN_ROLES = ['system', 'user', 'assistant', 'tool'];
const STRIDES: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 };
let numRibbons = 0;

export class Ribbon {
  readonly node: HTMLElement;
  private readonly details = element('div', 'jp-twinkle-token-details', { 'aria-hidden': 'true' });
  private readonly list = element('div', 'jp-twinkle-ribbon', { role: 'listbox', tabindex: '0', 'aria-label': 'Tokens' });
  private readonly prefix: string;
  private view: TokenView | null = null;
  private current = -1;
  private shading: Shading = 'role';

  constructor() {
    numRibbons += 1;
    this.prefix = `jp-twinkle-ribbon-${numRibbons}-`;
    this.node = element('div', '', {}, this.list, this.details);
    this.list.onpointerover = event => this.pointAt(event.target);
    this.list.onclick = event => this.pointAt(event.target);
    this.list.onkeydown = event => this.onKey(event);
    this.list.onfocus = () => this.go(Math.max(0, this.current));
  }

  show(view: TokenView): void {
    this.view = view;
    const parts = document.createDocumentFragment();
    view.tokens.forEach((token, place) => parts.append(this.token(token, place, view)));
    this.list.replaceChildren(parts);
    const isKept = this.current >= 0 && this.current < view.tokens.length;
    this.current = isKept ? this.current : -1;
    if (isKept) {
      this.go(this.current);
    } else {
      setText(this.details, 'Point at a token, or move along with the arrow keys.');
    }
  }

  /** Colour the tokens by something else. */
  shade(shading: Shading): void {
    this.shading = shading;
    this.view?.tokens.forEach((token, place) => {
      const node = this.list.children[place];
      if (node instanceof HTMLElement) {
        applyShade(node, token, shading);
      }
    });
  }

  /** Go to a token and look at it. */
  reveal(place: number): void {
    this.go(place);
    this.scroll();
  }

  private token(token: Token, place: number, view: TokenView): HTMLElement {
    const node = element('span', classesOf(token, place, view), {
      role: 'option',
      id: this.prefix + String(place),
      'data-place': String(place),
      'aria-selected': 'false',
      'aria-label': labelOf(token, place, view)
    });
    applyShade(node, token, this.shading);
    const shown = shownText(token.text);
    node.append(shown);
    if (token.text.includes('\n')) {
      node.append(document.createElement('br'));
    }
    return node;
  }

  private pointAt(target: EventTarget | null): void {
    const place = target instanceof HTMLElement ? target.closest<HTMLElement>('[data-place]')?.dataset['place'] : undefined;
    if (place !== undefined) {
      this.go(Number(place));
    }
  }

  private onKey(event: KeyboardEvent): void {
    const last = (this.view?.tokens.length ?? 0) - 1;
    const stride = STRIDES[event.key];
    if (stride !== undefined) {
      this.go(Math.min(last, Math.max(0, this.current + stride)));
    } else if (event.key === 'Home' || event.key === 'End') {
      this.go(event.key === 'Home' ? 0 : last);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.scroll();
  }

  private scroll(): void {
    this.list.children[this.current]?.scrollIntoView({ block: 'nearest' });
  }

  private go(place: number): void {
    const token = this.view?.tokens[place];
    if (this.view === null || token === undefined) {
      return;
    }
    const before = this.list.children[this.current];
    before?.classList.remove('jp-twinkle-mod-current');
    before?.setAttribute('aria-selected', 'false');
    this.current = place;
    const now = this.list.children[place];
    now?.classList.add('jp-twinkle-mod-current');
    now?.setAttribute('aria-selected', 'true');
    this.list.setAttribute('aria-activedescendant', this.prefix + String(place));
    setText(this.details, detailsOf(token, place, this.view));
  }
}

function applyShade(node: HTMLElement, token: Token, shading: Shading): void {
  const shade = shadeOf(token, shading);
  node.classList.toggle('jp-twinkle-mod-shaded', shading !== 'role');
  node.style.setProperty('--jp-twinkle-shade', shade === null ? 'transparent' : `var(--jp-twinkle-${shade.hue})`);
  node.style.setProperty('--jp-twinkle-strength', `${Math.round(45 * (shade?.strength ?? 0))}%`);
}

function classesOf(token: Token, place: number, view: TokenView): string {
  const role = KNOWN_ROLES.includes(token.role) ? ` jp-twinkle-role-${token.role}` : '';
  const isCut = view.maxLength !== null && place >= view.maxLength;
  const learned = token.weight > 0 && !isCut ? ' jp-twinkle-mod-learned' : '';
  return `jp-twinkle-token${role}${learned}${token.isSpecial ? ' jp-twinkle-mod-special' : ''}${isCut ? ' jp-twinkle-mod-cut' : ''}`;
}

/** Line ends as a sign before the break. */
function shownText(text: string): string {
  return text === '' ? '∅' : text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');
}

function labelOf(token: Token, place: number, view: TokenView): string {
  const role = token.role === '' ? '' : `, ${token.role}`;
  const likely = logprobText(token, view.adapter);
  return `${JSON.stringify(token.text)}${role}, ${standingOf(token, place, view)}, id ${token.id}${likely === '' ? '' : `, ${likely}`}`;
}

function standingOf(token: Token, place: number, view: TokenView): string {
  if (view.maxLength !== null && place >= view.maxLength) {
    return 'cut';
  }
  return token.weight > 0 ? 'learned' : 'read only';
}

/** Everything about one token, in a line. */
export function detailsOf(token: Token, place: number, view: TokenView): string {
  const standing = standingOf(token, place, view);
  const weight = standing === 'learned' ? `learned with weight ${Number(token.weight.toPrecision(3))}` : standing;
  return [
    JSON.stringify(token.text),
    `id ${token.id}`,
    `token ${place + 1} of ${view.tokens.length}`,
    token.role === '' ? 'before the first message' : token.role,
    weight,
    `characters ${token.start} to ${token.end}`,
    ...(token.isSpecial ? ['special'] : []),
    logprobText(token, view.adapter)
  ]
    .filter(part => part !== '')
    .join(' · ');
}
