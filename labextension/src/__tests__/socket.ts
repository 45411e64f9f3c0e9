import type { ServerConnection } from '@jupyterlab/services';

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

/** Settings whose sockets are these, and whose plain requests are answered with `status`. */
export function settingsWithSockets(status = 200, more: object = {}): ServerConnection.ISettings {
  const fetch = () => Promise.resolve(new Response('', { status }));
  const settings = { baseUrl: 'http://x/user/a/', wsUrl: 'ws://x/user/a/', token: 'secret', appendToken: false, WebSocket: Socket, fetch, Request, Headers, init: {}, ...more };
  return settings as unknown as ServerConnection.ISettings;
}
