/** As much of a page as buttons and fields need: the tests have no browser. */

import { afterEach, beforeEach, vi } from 'vitest';

interface Key {
  readonly key: string;
  readonly repeat: boolean;
  stopPropagation(): void;
  preventDefault(): void;
}

type Child = Part | string;

/** An element of it. */
export class Part {
  readonly attributes = new Map<string, string>();
  readonly classList = { toggle: () => true, add: () => undefined };
  readonly style = {};
  readonly dataset = new Proxy<Record<string, string>>(
    {},
    {
      get: (_, name) => this.attributes.get(`data-${String(name)}`),
      set: (_, name, value: string) => {
        this.attributes.set(`data-${String(name)}`, value);
        return true;
      }
    }
  );
  children: Child[] = [];
  parent: Part | null = null;
  hidden = false;
  disabled = false;
  value = '';
  onclick: ((click: { readonly detail: number }) => void) | null = null;
  onkeydown: ((key: Key) => void) | null = null;

  constructor(
    readonly tag: string,
    private readonly page: { activeElement: Part | null }
  ) {}

  append(...children: Child[]): void {
    children.forEach(child => typeof child !== 'string' && (child.parent = this));
    this.children.push(...children);
    // As a browser, which has the first option of a choice chosen.
    this.value = this.tag === 'select' && this.value === '' ? (this.parts[0]?.attributes.get('value') ?? '') : this.value;
  }

  replaceChildren(...children: Child[]): void {
    this.children = [];
    this.append(...children);
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
    this.hidden ||= name === 'hidden';
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null;
  }

  get textContent(): string {
    return this.children.map(child => (typeof child === 'string' ? child : child.textContent)).join('');
  }

  set textContent(text: string) {
    this.children = text === '' ? [] : [text];
  }

  /** @param detail Which click of a double click; 0 for one by a key. */
  click(detail = 0): void {
    if (!this.disabled) {
      this.onclick?.({ detail });
    }
  }

  /** Hold a key down: as in a browser, Enter clicks a button unless that is prevented. */
  press(key: string, repeat = false): void {
    const heard = { isStopped: false, isPrevented: false };
    const event = {
      key,
      repeat,
      stopPropagation: () => void (heard.isStopped = true),
      preventDefault: () => void (heard.isPrevented = true)
    };
    for (const part of [this, ...this.ancestors]) {
      if (!heard.isStopped) {
        part.onkeydown?.(event);
      }
    }
    if (key === 'Enter' && this.tag === 'button' && !heard.isPrevented) {
      this.click();
    }
  }

  focus(): void {
    if (!this.disabled && !this.hidden) {
      this.page.activeElement = this;
    }
  }

  /** What is inside of it and bears the mark; an error where nothing does. */
  find(name: string, value: string): Part {
    const found = this.all.find(part => part.attributes.get(name) === value);
    if (found === undefined) {
      throw new Error(`nothing with ${name}="${value}"`);
    }
    return found;
  }

  action(name: string): Part {
    return this.find('data-action', name);
  }

  entry(name: string): Part {
    return this.find('data-entry', name);
  }

  /** Labels of the buttons that can be seen, from left to right. */
  get shown(): string[] {
    return this.all.filter(part => part.tag === 'button' && !part.hidden).map(part => part.textContent);
  }

  private get ancestors(): Part[] {
    return this.parent === null ? [] : [this.parent, ...this.parent.ancestors];
  }

  private get parts(): Part[] {
    return this.children.filter(child => typeof child !== 'string');
  }

  private get all(): Part[] {
    return [this, ...this.parts.flatMap(part => part.all)];
  }
}

class Page {
  activeElement: Part | null = null;

  createElement(tag: string): Part {
    return new Part(tag, this);
  }

  createElementNS(_: string, tag: string): Part {
    return new Part(tag, this);
  }
}

/** A page of the test's own, anew for each test of a `describe`. */
export function usePage(): void {
  beforeEach(() => {
    vi.stubGlobal('document', new Page());
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });
}

/** An element as the test's page has it. */
export function partOf(node: Element): Part {
  return node as unknown as Part;
}

export function focused(): Part | null {
  return partOf(document.activeElement as Element);
}
