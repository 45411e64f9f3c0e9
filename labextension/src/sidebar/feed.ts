/**
 * The overview by the server extension's websocket, one for all that show it in this page, open only
 * while somebody does. It comes back by itself, and then begins with everything.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { NAMESPACE, parseJson } from '../renderers/routes';
import { applyFrame, NOTHING_KNOWN, withoutLink, type Overview } from './model';

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 4000;
/** Who looks away for a moment finds it open. */
const LINGER_MS = 10_000;

export class OverviewFeed {
  private overview: Overview = NOTHING_KNOWN;
  private socket: WebSocket | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private end: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_RETRY_MS;
  /** It was closed, and what then is not decided yet. */
  private isDeciding = false;
  private numUsers = 0;
  private readonly signal = new Signal<this, Overview>(this);

  constructor(private readonly settings: ServerConnection.ISettings) {}

  get current(): Overview {
    return this.overview;
  }

  get changed(): ISignal<this, Overview> {
    return this.signal;
  }

  /** Keep it up to date until as many `release`s. */
  use(): void {
    this.numUsers += 1;
    clearTimeout(this.end);
    if (this.socket === null && this.retry === undefined && !this.isDeciding) {
      this.connect();
    }
  }

  release(): void {
    this.numUsers -= 1;
    if (this.numUsers === 0) {
      this.end = setTimeout(() => this.close(), LINGER_MS);
    }
  }

  private connect(): void {
    this.retry = undefined;
    const { settings } = this;
    const token = settings.appendToken && settings.token ? `?token=${encodeURIComponent(settings.token)}` : '';
    const socket = new settings.WebSocket(URLExt.join(settings.wsUrl, NAMESPACE, 'overview') + token);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
    };
    socket.onmessage = (message: MessageEvent<unknown>) => this.onMessage(message.data);
    socket.onclose = () => void this.onClose(wasOpen);
    this.socket = socket;
  }

  private onMessage(data: unknown): void {
    this.wait = FIRST_RETRY_MS;
    this.publish(applyFrame(this.overview, typeof data === 'string' ? parseJson(data) : null));
  }

  private async onClose(wasOpen: boolean): Promise<void> {
    this.socket = null;
    this.isDeciding = true;
    const isThere = wasOpen || (await this.hasRoute());
    this.publish(withoutLink(this.overview, isThere ? 'lost' : 'no-extension'));
    this.isDeciding = false;
    if (this.numUsers === 0 || !isThere) {
      return;
    }
    this.retry = setTimeout(() => this.connect(), this.wait);
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

  private close(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    if (this.socket !== null) {
      this.socket.onclose = this.socket.onmessage = null;
      this.socket.close();
      this.socket = null;
    }
  }

  private publish(overview: Overview): void {
    if (overview !== this.overview) {
      this.overview = overview;
      this.signal.emit(overview);
    }
  }
}
