/**
 * The overview by the server extension's websocket, one for all that show it in this page, open only
 * while somebody does. It comes back by itself, and then begins with everything.
 */

import type { ServerConnection } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { LastingSocket } from '../renderers/lastingSocket';
import { parseJson } from '../renderers/routes';
import { applyFrame, NOTHING_KNOWN, withoutLink, type Overview } from './model';

/** Who looks away for a moment finds it open. */
const LINGER_MS = 10_000;

export class OverviewFeed {
  private overview: Overview = NOTHING_KNOWN;
  private end: ReturnType<typeof setTimeout> | undefined;
  private numUsers = 0;
  private readonly socket: LastingSocket;
  private readonly signal = new Signal<this, Overview>(this);

  constructor(settings: ServerConnection.ISettings) {
    this.socket = new LastingSocket(settings, {
      path: 'overview',
      query: () => ({}),
      onMessage: data => {
        this.publish(applyFrame(this.overview, typeof data === 'string' ? parseJson(data) : null));
        return true;
      },
      onLost: hasRoute => this.publish(withoutLink(this.overview, hasRoute ? 'lost' : 'no-extension'))
    });
  }

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
    this.socket.open();
  }

  release(): void {
    this.numUsers -= 1;
    if (this.numUsers === 0) {
      this.end = setTimeout(() => this.socket.close(), LINGER_MS);
    }
  }

  private publish(overview: Overview): void {
    if (overview !== this.overview) {
      this.overview = overview;
      this.signal.emit(overview);
    }
  }
}
