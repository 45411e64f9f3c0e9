/** What the sidebar asks of the server extension and, through it, of the service. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { parseExportState, type ExportState } from '../adaptersWire';
import { isFields, list, number, text } from '../fields';
import type { ExportFormat } from '../panels/adapters/formats';
import { CommandFailedError } from '../panels/transport';
import { parseErrorBody } from '../parsing';
import { NAMESPACE, parseJson } from '../renderers/routes';
import type { Schemas } from '../schemas';

export type Checkpoint = Schemas['CheckpointBody'];
export type Json = Readonly<Record<string, unknown>>;

/** Where a run began that was just started. */
export interface Started {
  readonly runId: string;
  readonly adapter: string;
}

/** Every method rejects with a `CommandFailedError` that says what is wrong in a sentence. */
export class Requests {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async service(action: 'start' | 'stop'): Promise<void> {
    await this.ask('POST', `service/${action}`, {});
  }

  async steer(run: string, action: 'pause' | 'resume' | 'stop'): Promise<void> {
    await this.ask('POST', `api/runs/${encodeURIComponent(run)}/${action}`);
  }

  async fork(run: string, adapter: string, step: number | null): Promise<Started> {
    const body = { step, adapter, changes: {} };
    return parseStarted(await this.ask('POST', `api/runs/${encodeURIComponent(run)}/fork`, body));
  }

  async train(path: string, config: Json): Promise<Started> {
    return parseStarted(await this.ask('POST', 'train', { path, config }));
  }

  async findRun(name: string): Promise<Started> {
    return parseStarted(await this.ask('GET', `api/runs/${encodeURIComponent(name)}`));
  }

  async adapterNames(): Promise<readonly string[]> {
    const body = await this.ask('GET', 'api/adapters');
    return list(isFields(body) ? body['adapters'] : null).filter(isFields).map(one => text(one['name']));
  }

  async checkpoints(run: string): Promise<readonly Checkpoint[]> {
    const body = await this.ask('GET', `api/runs/${encodeURIComponent(run)}/checkpoints`);
    return list(isFields(body) ? body['checkpoints'] : null).filter(isCheckpoint);
  }

  /** Save one now: a run that goes on has it after the step under way. */
  async makeCheckpoint(run: string): Promise<void> {
    await this.ask('POST', `api/runs/${encodeURIComponent(run)}/checkpoints`, {});
  }

  async deleteCheckpoint(run: string, name: string): Promise<void> {
    await this.ask('DELETE', `api/runs/${encodeURIComponent(run)}/checkpoints/${encodeURIComponent(name)}`);
  }

  async deleteAdapter(name: string): Promise<void> {
    await this.ask('DELETE', `api/adapters/${encodeURIComponent(name)}`);
  }

  async startExport(adapter: string, format: ExportFormat, folder: string): Promise<ExportState> {
    const path = `api/adapters/${encodeURIComponent(adapter)}/exports`;
    return parseExportState(await this.ask('POST', path, { format, folder }));
  }

  async readExport(exportId: string): Promise<ExportState> {
    return parseExportState(await this.ask('GET', `api/exports/${encodeURIComponent(exportId)}`));
  }

  /** Ask any route of ours, with a body of JSON. */
  async ask(method: string, path: string, body?: Json): Promise<unknown> {
    const url = URLExt.join(this.settings.baseUrl, NAMESPACE, path);
    const json = { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
    let response: Response;
    try {
      const init = { method, ...(body === undefined ? {} : json) };
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      const message = 'The Jupyter server does not answer.';
      throw new CommandFailedError({ code: 'service_unavailable', message, hint: 'Try again in a moment.' });
    }
    const answer = parseJson(await response.text());
    if (!response.ok) {
      throw new CommandFailedError(parseErrorBody(answer));
    }
    return answer;
  }
}

function parseStarted(body: unknown): Started {
  const fields = isFields(body) ? body : {};
  return { runId: text(fields['run_id']), adapter: text(fields['adapter']) };
}

function isCheckpoint(value: unknown): value is Checkpoint {
  return isFields(value) && text(value['name']) !== '' && number(value['step']) !== null;
}
