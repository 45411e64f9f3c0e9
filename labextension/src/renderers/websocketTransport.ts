/**
 * A run's frames by the server extension's websocket, and its commands by the extension's REST
 * routes: both under Jupyter's own authentication, and both alive without a kernel.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { CommandFailedError, type Disposable, type Notice, type Transport } from '../panels/transport';
import { parseErrorBody, parseFrame, parseRunFacts } from '../parsing';
import type { ActionBody, ActionName, Frame, RunFacts } from '../wire';
import { NAMESPACE, NO_EXTENSION, NO_SERVER, parseJson } from './routes';

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 2000;

export class WebsocketTransport implements Transport {
  constructor(
    private readonly runId: string,
    private readonly settings: ServerConnection.ISettings
  ) {}

  subscribe(after: number, onNotice: (notice: Notice) => void): Disposable {
    return new Subscription(this.runId, this.settings, after, onNotice);
  }

  async facts(): Promise<RunFacts | null> {
    try {
      const response = await ServerConnection.makeRequest(this.url(), {}, this.settings);
      return response.ok ? parseRunFacts(parseJson(await response.text())) : null;
    } catch {
      return null;
    }
  }

  async command(name: ActionName, body?: ActionBody): Promise<void> {
    const url = this.url(name === 'checkpoint' ? 'checkpoints' : name);
    const json = { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
    const init = { method: 'POST', ...(body === undefined ? {} : json) };
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new CommandFailedError({
        code: 'service_unavailable',
        message: 'The Jupyter server does not answer.',
        hint: ''
      });
    }
    if (!response.ok) {
      throw new CommandFailedError(parseErrorBody(parseJson(await response.text())));
    }
  }

  private url(action = ''): string {
    const path = URLExt.join(NAMESPACE, 'api/runs', encodeURIComponent(this.runId), action);
    return URLExt.join(this.settings.baseUrl, path);
  }
}

class Subscription implements Disposable {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_RETRY_MS;
  /** Nothing more is wanted: disposed, ended, or there is no route. */
  private isOver = false;
  /** It was open once, so that there is a route: what fails now is the way there. */
  private wasOpen = false;
  /** What the service said before it hung up. */
  private problem = '';

  constructor(
    private readonly runId: string,
    private readonly settings: ServerConnection.ISettings,
    private after: number,
    private readonly onNotice: (notice: Notice) => void
  ) {
    window.addEventListener('online', this.onOnline);
    // Only once the caller has what this constructor returns.
    this.timer = setTimeout(() => this.connect(), 0);
  }

  dispose(): void {
    this.finish();
  }

  private connect(): void {
    this.timer = undefined;
    const { settings } = this;
    const path = URLExt.join(NAMESPACE, 'runs', encodeURIComponent(this.runId), 'events');
    const token = settings.appendToken && settings.token ? `&token=${encodeURIComponent(settings.token)}` : '';
    const socket = new settings.WebSocket(`${URLExt.join(settings.wsUrl, path)}?after=${this.after}${token}`);
    socket.onopen = () => {
      this.wasOpen = true;
    };
    socket.onmessage = (message: MessageEvent<unknown>) => this.onMessage(message.data);
    socket.onclose = () => void this.onClose();
    this.socket = socket;
  }

  private onMessage(data: unknown): void {
    const frame = typeof data === 'string' ? parseFrame(parseJson(data)) : null;
    if (frame === null || this.isOver) {
      return;
    }
    if (frame.type === 'event' && frame.id <= this.after) {
      return;
    }
    this.note(frame);
    if (isLast(frame)) {
      this.finish();
    }
    this.onNotice(frame);
  }

  private note(frame: Frame): void {
    if (frame.type === 'error') {
      this.problem = frame.error.message;
      return;
    }
    this.problem = '';
    this.wait = FIRST_RETRY_MS;
    if (frame.type === 'event') {
      this.after = frame.id;
    }
  }

  private async onClose(): Promise<void> {
    this.socket = null;
    if (this.isOver) {
      return;
    }
    if (!this.wasOpen && !(await this.hasRoute())) {
      this.finish();
      this.onNotice({ type: 'unavailable', message: NO_EXTENSION });
      return;
    }
    this.retry();
  }

  private retry(): void {
    // `finish` may have been called while the route was asked for.
    if (this.isOver) {
      return;
    }
    this.onNotice({ type: 'connection', state: 'waiting', message: this.problem || NO_SERVER });
    this.timer = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_RETRY_MS);
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
    if (this.timer !== undefined && this.socket === null) {
      clearTimeout(this.timer);
      this.wait = FIRST_RETRY_MS;
      this.connect();
    }
  };

  private finish(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    window.removeEventListener('online', this.onOnline);
    if (this.socket !== null) {
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }
  }
}

/** A run that is not there never will be; any other error may pass with a restart. */
function isLast(frame: Frame): boolean {
  return frame.type === 'end' || (frame.type === 'error' && frame.error.code === 'not_found');
}
