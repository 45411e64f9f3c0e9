/** Questions by the server extension's REST routes, and preferences into a file beside the notebook. */

import { PathExt, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection, type Contents } from '@jupyterlab/services';
import type { Asker, Question } from '../panels/asker';
import { CommandFailedError } from '../panels/transport';
import { isFields, list, text } from '../fields';
import { parseErrorBody } from '../parsing';
import { SseReader } from '../sse';
import type { ActionBody, WireError } from '../wire';
import { NAMESPACE, NO_EXTENSION, NO_SERVER, parseJson } from './routes';

export const PREFERENCES_FILE = 'preferences.jsonl';

/** The newest of what is being appended: files are read and saved whole, by all chats of the page. */
let keeping: Promise<unknown> = Promise.resolve();

export class RestAsker implements Asker {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly contents: Contents.IManager,
    private readonly notebookPath: () => string
  ) {}

  async ask(question: Question, body: ActionBody, onPart?: (text: string) => void, signal?: AbortSignal): Promise<unknown> {
    if (question === 'keep') {
      return { path: await this.keep(list(body['rows']), list(body['taken_back'])) };
    }
    const response = await this.request(question, body, signal);
    if (!response.ok) {
      throw new CommandFailedError(reasonOf(response.status, parseJson(await response.text())));
    }
    if (question !== 'samples' || response.body === null) {
      return parseJson(await response.text());
    }
    return readAnswer(response.body, onPart ?? (() => undefined));
  }

  private async request(question: Question, body: ActionBody, signal?: AbortSignal): Promise<Response> {
    const { method, path, query, content } = routeOf(question, body);
    const url = URLExt.join(this.settings.baseUrl, NAMESPACE, 'api', ...path.map(encodeURIComponent)) + query;
    const json = { body: JSON.stringify(content), headers: { 'Content-Type': 'application/json' } };
    const init: RequestInit = { method, ...(method === 'POST' ? json : {}), ...(signal === undefined ? {} : { signal }) };
    try {
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new CommandFailedError({ code: 'service_unavailable', message: `${NO_SERVER}.`, hint: '' });
    }
  }

  /** Change the file beside the notebook and return its path; one call after another. */
  private keep(rows: readonly unknown[], takenBack: readonly unknown[]): Promise<string> {
    const kept = keeping.then(() => this.change(rows, takenBack));
    keeping = kept.catch(() => undefined);
    return kept;
  }

  private async change(rows: readonly unknown[], takenBack: readonly unknown[]): Promise<string> {
    const path = PathExt.join(PathExt.dirname(this.notebookPath()), PREFERENCES_FILE);
    const added = rows.map(row => `${JSON.stringify(row)}\n`).join('');
    try {
      const known = await this.contents.get(path, { type: 'file', format: 'text', content: true }).then(
        model => String(model.content),
        textOfNothing
      );
      const left = withoutRows(known, takenBack);
      const gap = left === '' || left.endsWith('\n') ? '' : '\n';
      if (left !== known || added !== '') {
        await this.contents.save(path, { type: 'file', format: 'text', content: left + gap + added });
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CommandFailedError({ code: 'service_unavailable', message: `${path} is as it was: ${why}`, hint: '' });
    }
    return path;
  }
}

/** Nothing is kept yet only where there is no file: what cannot be read now must not be replaced. */
function textOfNothing(error: unknown): string {
  if (error instanceof ServerConnection.ResponseError && error.response.status === 404) {
    return '';
  }
  throw error;
}

/** The text without the newest line of each of these rows; one that is not there any more is nobody's fault. */
function withoutRows(known: string, rows: readonly unknown[]): string {
  const lines = known.split('\n');
  for (const row of rows) {
    const place = lines.map(rowOf).lastIndexOf(JSON.stringify(row));
    if (place >= 0) {
      lines.splice(place, 1);
    }
  }
  return lines.join('\n');
}

/** A line as we would write it; null where it holds no JSON. */
function rowOf(line: string): string | null {
  try {
    return JSON.stringify(JSON.parse(line));
  } catch {
    return null;
  }
}

/** What the service says, or that there is no such route. */
function reasonOf(status: number, body: unknown): WireError {
  const isOurs = isFields(body) && isFields(body['error']);
  return status === 404 && !isOurs ? { code: 'not_found', message: NO_EXTENSION, hint: '' } : parseErrorBody(body);
}

async function readAnswer(body: ReadableStream<Uint8Array>, onPart: (text: string) => void): Promise<unknown> {
  const reader = body.getReader();
  const frames = new SseReader();
  for (;;) {
    const { done, value } = await reader.read();
    for (const { event, data } of frames.feed(value ?? new Uint8Array())) {
      const fields = parseJson(data);
      if (event === 'error') {
        throw new CommandFailedError(parseErrorBody(fields));
      }
      if (event === 'done') {
        return fields;
      }
      if (typeof fields === 'object' && fields !== null && 'text' in fields) {
        onPart(String(fields.text));
      }
    }
    if (done) {
      throw new CommandFailedError({ code: 'service_unavailable', message: 'The answer broke off.', hint: '' });
    }
  }
}

interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: readonly string[];
  readonly query: string;
  readonly content: unknown;
}

/** The route that answers a question. */
function routeOf(question: Question, body: ActionBody): Route {
  const route = { query: '', content: body };
  switch (question) {
    case 'adapters':
      return { ...route, method: 'GET', path: ['adapters'] };
    case 'list-adapters':
      return { ...route, method: 'GET', path: ['adapters'], query: '?details=true' };
    case 'export':
      return { ...route, method: 'POST', path: ['adapters', text(body['name']), 'exports'], content: body['wanted'] };
    case 'export-state':
      return { ...route, method: 'GET', path: ['exports', text(body['export_id'])] };
    case 'export-cancel':
      return { ...route, method: 'DELETE', path: ['exports', text(body['export_id'])] };
    default:
      return { ...route, method: 'POST', path: [question] };
  }
}
