/** A sweep and its commands by the server extension's REST routes, under Jupyter's authentication. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { SweepTransport } from '../panels/sweep/transport';
import { CommandFailedError } from '../panels/transport';
import { parseErrorBody } from '../parsing';
import { parseSweep, type MemberAction, type SweepAction, type SweepReading } from '../sweepWire';
import type { ActionBody } from '../wire';
import { NAMESPACE, NO_SERVER, parseJson } from './routes';

export class SweepRoutes implements SweepTransport {
  constructor(
    private readonly sweepId: string,
    private readonly settings: ServerConnection.ISettings
  ) {}

  async read(): Promise<SweepReading> {
    let response: Response;
    let body: unknown;
    try {
      response = await ServerConnection.makeRequest(this.url('', '?points=true'), {}, this.settings);
      body = parseJson(await response.text());
    } catch {
      return { type: 'waiting', message: NO_SERVER };
    }
    const sweep = response.ok ? parseSweep(body) : null;
    if (sweep !== null) {
      return { type: 'sweep', sweep, raw: body };
    }
    const error = parseErrorBody(body);
    if (response.status === 404) {
      return { type: 'unavailable', error };
    }
    const isAway = response.status >= 500;
    return { type: 'waiting', message: isAway ? 'The service is away; the runs are safe' : error.message };
  }

  command(action: SweepAction, body: ActionBody): Promise<void> {
    return this.post(this.url(action), body);
  }

  steer(runId: string, action: MemberAction): Promise<void> {
    const path = URLExt.join(NAMESPACE, 'api/runs', encodeURIComponent(runId), action);
    return this.post(URLExt.join(this.settings.baseUrl, path), {});
  }

  private async post(url: string, body: ActionBody): Promise<void> {
    const init = {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' }
    };
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      const message = 'The Jupyter server does not answer.';
      throw new CommandFailedError({ code: 'service_unavailable', message, hint: '' });
    }
    if (!response.ok) {
      throw new CommandFailedError(parseErrorBody(parseJson(await response.text())));
    }
  }

  private url(action: string, query = ''): string {
    const path = URLExt.join(NAMESPACE, 'api/sweeps', encodeURIComponent(this.sweepId), action);
    return URLExt.join(this.settings.baseUrl, path) + query;
  }
}
