import type { ServerConnection } from '@jupyterlab/services';
import { afterEach, beforeEach, vi } from 'vitest';

/** The browser's side of a socket, opened and closed by the test. */
export class Socket {
  static all: Socket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    Socket.all.push(this);
  }

  static get newest(): Socket {
    return Socket.all.at(-1) ?? new Socket('none');
  }

  close(): void {
    this.isClosed = true;
  }

  hear(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

/** Sockets, timers and a window of the test's own, anew for each test of a `describe`. */
export function useSockets(): void {
  beforeEach(() => {
    Socket.all = [];
    vi.useFakeTimers();
    vi.stubGlobal('window', new EventTarget());
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
}

/** Settings whose sockets are these, and whose plain requests are answered with `status`. */
export function settingsWithSockets(status = 200, more: object = {}): ServerConnection.ISettings {
  const fetch = () => Promise.resolve(new Response('', { status }));
  const settings = { baseUrl: 'http://x/user/a/', wsUrl: 'ws://x/user/a/', token: 'secret', appendToken: false, WebSocket: Socket, fetch, Request, Headers, init: {}, ...more };
  return settings as unknown as ServerConnection.ISettings;
}
