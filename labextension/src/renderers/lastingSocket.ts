/**
 * A websocket of the server extension that comes back by itself: later each time, and at once when
 * the browser is online again.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { NAMESPACE } from './routes';

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 2000;

export interface SocketUser {
  /** Below the extension's namespace; asked for at each connection, as is the query. */
  readonly path: string;
  readonly query: () => Readonly<Record<string, string | number>>;
  /** @returns Whether all is well, so that the next retry may be an early one. */
  readonly onMessage: (data: unknown) => boolean;
  /** It was closed. Where there is no route to it, it does not come back. */
  readonly onLost: (hasRoute: boolean) => void;
}

export class LastingSocket {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_RETRY_MS;
  private isWanted = false;
  /** It was closed, and what then is not decided yet. */
  private isDeciding = false;
  /** It was open once, so that there is a route: what fails now is the way there. */
  private wasOpen = false;

  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly user: SocketUser
  ) {}

  /** Have it until `close`. */
  open(): void {
    if (this.isWanted) {
      return;
    }
    this.isWanted = true;
    window.addEventListener('online', this.onOnline);
    if (!this.isDeciding) {
      this.connect();
    }
  }

  close(): void {
    this.isWanted = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    window.removeEventListener('online', this.onOnline);
    if (this.socket !== null) {
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }
  }

  private connect(): void {
    this.timer = undefined;
    const { settings, user } = this;
    const token = settings.appendToken && settings.token ? { token: settings.token } : {};
    const query = URLExt.objectToQueryString({ ...user.query(), ...token });
    const socket = new settings.WebSocket(URLExt.join(settings.wsUrl, NAMESPACE, user.path) + query);
    socket.onopen = () => {
      this.wasOpen = true;
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      if (user.onMessage(message.data)) {
        this.wait = FIRST_RETRY_MS;
      }
    };
    socket.onclose = () => void this.onClose();
    this.socket = socket;
  }

  private async onClose(): Promise<void> {
    this.socket = null;
    this.isDeciding = true;
    const isThere = this.wasOpen || (await this.hasRoute());
    this.isDeciding = false;
    // `close` may have been called while the route was asked for.
    if (!this.isWanted) {
      return;
    }
    if (isThere) {
      this.timer = setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_RETRY_MS);
    } else {
      this.close();
    }
    this.user.onLost(isThere);
  }

  /** A websocket that fails to open does not say why; a plain request does. */
  private async hasRoute(): Promise<boolean> {
    const url = URLExt.join(this.settings.baseUrl, NAMESPACE, 'service');
    try {
      const response = await ServerConnection.makeRequest(url, {}, this.settings);
      return response.status !== 404;
    } catch {
      return true;
    }
  }

  private readonly onOnline = (): void => {
    if (this.timer !== undefined) {
      clearTimeout(this.timer);
      this.wait = FIRST_RETRY_MS;
      this.connect();
    }
  };
}
