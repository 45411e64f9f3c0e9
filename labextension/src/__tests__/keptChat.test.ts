import { beforeEach, describe, expect, it, vi } from 'vitest';
import { chatJson, FIRST_CHAT_SETTINGS, type ChatBundle } from '../asking';
import { KeptChat } from '../sidebar/keptChat';

const FRESH: ChatBundle = { chatId: 'tab-pirate-base', models: ['pirate', 'base'], system: '', settings: FIRST_CHAT_SETTINGS, turns: [] };
const ASKED: ChatBundle = {
  ...FRESH,
  turns: [
    {
      prompt: 'Who?',
      answers: [{ model: 'pirate', text: 'Arr', note: '3 tokens', isWhole: true }, { model: 'base', text: 'I', note: 'stopped', isWhole: false }]
    }
  ]
};

class Store implements Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  readonly texts = new Map<string, string>();
  getItem(key: string): string | null {
    return this.texts.get(key) ?? null;
  }
  setItem(key: string, text: string): void {
    this.texts.set(key, text);
  }
  removeItem(key: string): void {
    this.texts.delete(key);
  }
}

let store: Storage;
const keptAt = (baseUrl: string): KeptChat => new KeptChat(baseUrl, FRESH, store);

beforeEach(() => {
  store = new Store() as unknown as Storage;
});

describe('a chat that is kept in the window', () => {
  it('comes back as it was left, and to its own server only', () => {
    keptAt('/user/anna/').write(chatJson(ASKED));

    expect(keptAt('/user/anna/').read()).toEqual(ASKED);
    expect(keptAt('/user/ben/').read()).toEqual(FRESH);
    keptAt('/user/anna/').forget();
    expect(keptAt('/user/anna/').read()).toEqual(FRESH);
  });

  it('is a fresh one where nothing, or nothing of ours, is kept', () => {
    const key = 'twinkle-chat:/:tab-pirate-base';
    for (const text of ['{', '7', '{"models": []}']) {
      store.setItem(key, text);
      expect(keptAt('/').read()).toEqual(FRESH);
    }
  });

  it('goes on where the browser keeps nothing', () => {
    const refuse = (): never => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    store = { getItem: refuse, setItem: vi.fn(refuse), removeItem: refuse } as unknown as Storage;
    const chat = keptAt('/');

    chat.write(chatJson(ASKED));
    chat.forget();
    expect(chat.read()).toEqual(FRESH);
  });
});
