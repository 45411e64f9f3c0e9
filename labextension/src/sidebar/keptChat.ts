/**
 * What was said in a chat's tab, for the reload of the page. It stays in this window of the browser:
 * it goes when the window or the tab is closed, and is another one's on another server of a Hub.
 */

import { parseChatBundle, type ChatBundle } from '../asking';

const MOST_CHARACTERS = 500_000;

export class KeptChat {
  private readonly key: string;

  constructor(
    baseUrl: string,
    private readonly fresh: ChatBundle,
    private readonly storage: Storage = window.sessionStorage
  ) {
    this.key = `twinkle-chat:${baseUrl}:${fresh.chatId}`;
  }

  /** The chat as it was left, or a fresh one. */
  read(): ChatBundle {
    try {
      return parseChatBundle(JSON.parse(this.storage.getItem(this.key) ?? 'null')) ?? this.fresh;
    } catch {
      return this.fresh; // a browser that keeps nothing, or a text that is none of ours
    }
  }

  write(chat: Record<string, unknown>): void {
    const text = JSON.stringify(chat);
    try {
      // A window has some 5 MB for all: a chat beyond its share comes back as it last fitted.
      if (text.length <= MOST_CHARACTERS) {
        this.storage.setItem(this.key, text);
      }
    } catch {
      // Full, or forbidden: the chat itself goes on.
    }
  }

  forget(): void {
    try {
      this.storage.removeItem(this.key);
    } catch {
      // As above.
    }
  }
}
