/**
 * A run's frames by the server extension's websocket, and its commands by the extension's REST
 * routes: both under Jupyter's own authentication, and both alive without a kernel.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { CommandFailedError, type Disposable, type Notice, type Transport } from '../panels/transport';
import { parseErrorBody, parseFrame, parseRunFacts } from '../parsing';
import type { ActionBody, ActionName, Frame, RunFacts } from '../wire';
import { LastingSocket } from './lastingSocket';
import { NAMESPACE, NO_EXTENSION, NO_SERVER, parseJson } from './routes';

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
  private readonly socket: LastingSocket;
  private readonly opening: ReturnType<typeof setTimeout>;
  /** What the service said before it hung up. */
  private problem = '';

  constructor(
    runId: string,
    settings: ServerConnection.ISettings,
    private after: number,
    private readonly onNotice: (notice: Notice) => void
  ) {
    this.socket = new LastingSocket(settings, {
      path: URLExt.join('runs', encodeURIComponent(runId), 'events'),
      query: () => ({ after: this.after }),
      onMessage: data => this.onMessage(data),
      onLost: hasRoute => this.onLost(hasRoute)
    });
    // Only once the caller has what this constructor returns.
    this.opening = setTimeout(() => this.socket.open(), 0);
  }

  dispose(): void {
    clearTimeout(this.opening);
    this.socket.close();
  }

  private onMessage(data: unknown): boolean {
    const frame = typeof data === 'string' ? parseFrame(parseJson(data)) : null;
    if (frame === null || (frame.type === 'event' && frame.id <= this.after)) {
      return false;
    }
    this.problem = frame.type === 'error' ? frame.error.message : '';
    this.after = frame.type === 'event' ? frame.id : this.after;
    if (isLast(frame)) {
      this.socket.close();
    }
    this.onNotice(frame);
    return frame.type !== 'error';
  }

  private onLost(hasRoute: boolean): void {
    this.onNotice(
      hasRoute
        ? { type: 'connection', state: 'waiting', message: this.problem || NO_SERVER }
        : { type: 'unavailable', message: NO_EXTENSION }
    );
  }
}

/** A run that is not there never will be; any other error may pass with a restart. */
function isLast(frame: Frame): boolean {
  return frame.type === 'end' || (frame.type === 'error' && frame.error.code === 'not_found');
}
