import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerConnection, type Contents } from '@jupyterlab/services';
import { CommTransport, type WidgetModel } from '../anywidget/commTransport';
import { AdaptersReader, REFRESH_MS, type AdaptersReading } from '../panels/adapters/reader';
import type { Asker } from '../panels/asker';
import { CommandFailedError, isGone, type Notice } from '../panels/transport';
import { RestAsker } from '../renderers/restAsker';
import { SweepRoutes } from '../renderers/sweepRoutes';
import { WebsocketTransport } from '../renderers/websocketTransport';
import { KeyedReading, RETRY_MS } from '../sidebar/keyedReading';
import type { ActionBody } from '../wire';
import { Socket, settingsWithSockets, useSockets } from './socket';

const BUSY = { code: 'quota_exceeded', message: 'Too much at once.', hint: '' };

function settingsThatAnswer(status: number, body: unknown): ServerConnection.ISettings {
  const fetch = () => Promise.resolve(new Response(JSON.stringify(body), { status }));
  const settings = { baseUrl: 'http://x/', wsUrl: 'ws://x/', token: '', appendToken: false, fetch, Request, Headers, init: {} };
  return settings as unknown as ServerConnection.ISettings;
}

/** A page's end of the kernel's comm. */
class Page implements WidgetModel {
  readonly sent: unknown[] = [];
  private readonly listeners = new Set<(message: unknown) => void>();

  get(): unknown {
    return null;
  }

  on(_: 'msg:custom', callback: (message: unknown) => void): void {
    this.listeners.add(callback);
  }

  off(_: 'msg:custom', callback: (message: unknown) => void): void {
    this.listeners.delete(callback);
  }

  send(content: unknown): void {
    this.sent.push(content);
  }

  hear(message: unknown): void {
    this.listeners.forEach(tell => tell(message));
  }

  batch(after: number, ...ids: number[]): void {
    this.hear({ type: 'batch', after, frames: ids.map(id => ({ type: 'event', id, event: { kind: 'notice', at: '' } })) });
  }
}

describe('a view that the kernel feeds', () => {
  const watch = (page: Page) => {
    const ids: number[] = [];
    const take = (notice: Notice): void => {
      if (notice.type === 'event') {
        ids.push(notice.id);
      }
    };
    return { ids, view: new CommTransport(page).subscribe(0, take) };
  };

  it('subscribes again where another page has closed the feed, after what it has', () => {
    const page = new Page();
    const { view } = watch(page);
    page.batch(0, 1, 2, 3);
    page.hear({ type: 'closed' });
    expect(page.sent).toEqual([{ type: 'subscribe', after: 0 }, { type: 'subscribe', after: 3 }]);

    page.hear({ type: 'batch', after: 3, frames: [{ type: 'end' }] });
    page.hear({ type: 'closed' });
    view.dispose();
    page.hear({ type: 'closed' });
    expect(page.sent.slice(2)).toEqual([{ type: 'unsubscribe' }]);
  });

  it('leaves out what begins beyond its own position, and has every event once', () => {
    const page = new Page();
    const { ids } = watch(page);
    page.batch(7, 8, 9); // on its way to an older view
    page.batch(0, 1, 2, 3);
    page.batch(2, 3, 4);
    expect(ids).toEqual([1, 2, 3, 4]);
  });
});

describe("a run's websocket", () => {
  useSockets();

  const watch = async (status = 200) => {
    const notices: Notice[] = [];
    const view = new WebsocketTransport('run 1', settingsWithSockets(status)).subscribe(2, notice => notices.push(notice));
    await vi.advanceTimersByTimeAsync(0);
    return { notices, view };
  };
  const event = (id: number) => ({ type: 'event', id, event: { kind: 'notice', at: '' } });
  const ways = () => Socket.all.map(socket => socket.url.slice('ws://x/user/a/twinkle-jupyter/'.length));

  it('comes back after what it has, at once where the browser is online again', async () => {
    const { notices, view } = await watch();
    Socket.newest.onopen?.();
    [2, 3, 4, 4].forEach(id => Socket.newest.hear(event(id)));
    Socket.newest.onclose?.();
    await vi.advanceTimersByTimeAsync(240);
    expect(ways()).toEqual(['runs/run%201/events?after=2']);
    window.dispatchEvent(new Event('online'));
    expect(ways().slice(1)).toEqual(['runs/run%201/events?after=4']);
    expect(notices.map(notice => notice.type)).toEqual(['event', 'event', 'connection']);

    view.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([Socket.all.length, Socket.newest.isClosed]).toEqual([2, true]);
  });

  it('waits longer after each error, and says what the service said', async () => {
    const { notices } = await watch();
    for (let time = 0; time < 2; time += 1) {
      Socket.newest.onopen?.();
      Socket.newest.hear({ type: 'error', error: { code: 'service_unavailable', message: 'It is being restarted.', hint: '' } });
      Socket.newest.onclose?.();
      await vi.advanceTimersByTimeAsync(260);
    }
    expect(Socket.all).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(260);
    expect(Socket.all).toHaveLength(3);
    expect(notices.at(-1)).toEqual({ type: 'connection', state: 'waiting', message: 'It is being restarted.' });
  });

  it.each([
    [{ type: 'end' }],
    [{ type: 'error', error: { code: 'not_found', message: 'There is no such run.', hint: '' } }]
  ])('ends with %j', async last => {
    const { notices } = await watch();
    Socket.newest.hear(last);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([Socket.all.length, Socket.newest.isClosed, notices.length]).toEqual([1, true, 1]);
  });

  it('says once that there is no extension, and nothing to whom is gone meanwhile', async () => {
    const { notices } = await watch(404);
    Socket.newest.onclose?.();
    const gone = await watch(404);
    Socket.newest.onclose?.();
    gone.view.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([notices.map(notice => notice.type), gone.notices, Socket.all.length]).toEqual([['unavailable'], [], 2]);
  });
});

describe('a refusal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    [BUSY, true],
    [{ ...BUSY, code: 'not_found' }, false]
  ])('of the adapters with %j is asked again: %s', async (reason, isAsked) => {
    const answers = [Promise.reject(new CommandFailedError(reason)), Promise.resolve({ adapters: [] })];
    const asker: Asker = { ask: () => answers.shift() ?? Promise.resolve({ adapters: [] }) };
    const readings: AdaptersReading[] = [];
    const reader = new AdaptersReader(asker, reading => readings.push(reading), () => false);
    await reader.read();
    await vi.advanceTimersByTimeAsync(REFRESH_MS);
    reader.dispose();
    await vi.advanceTimersByTimeAsync(10 * REFRESH_MS);
    expect(readings).toEqual([expect.any(CommandFailedError), ...(isAsked ? [[]] : [])]);
  });

  it.each([
    [429, 'waiting'],
    [503, 'waiting'],
    [404, 'unavailable']
  ])('of a sweep with %i is %s', async (status, type) => {
    expect((await new SweepRoutes('s', settingsThatAnswer(status, { error: BUSY })).read()).type).toBe(type);
  });

  it.each([
    [429, { error: BUSY }, false],
    [404, { error: { ...BUSY, code: 'not_found' } }, true],
    [404, { message: 'Not Found' }, true]
  ])('with %i and %j is final: %s', async (status, body, isFinal) => {
    const asker = new RestAsker(settingsThatAnswer(status, body), {} as Contents.IManager, () => '');
    const error: unknown = await asker.ask('list-adapters', {}).catch((reason: unknown) => reason);
    expect(isGone(error)).toBe(isFinal);
  });

  it('of what belongs to a key is asked again after a while only', async () => {
    const said: string[] = [];
    let asked = 0;
    const ask = () => {
      asked += 1;
      return asked === 1 ? Promise.reject(new Error('busy')) : Promise.resolve('rows');
    };
    const read = () => reading.read('a', ask);
    const reading: KeyedReading<string> = new KeyedReading({ found: found => said.push(found), failed: why => said.push(why), again: read });
    for (let frame = 0; frame < 5; frame += 1) {
      read();
      await vi.advanceTimersByTimeAsync(RETRY_MS / 10);
    }
    expect([asked, said]).toEqual([1, ['busy']]);
    await vi.advanceTimersByTimeAsync(RETRY_MS);
    expect([asked, said]).toEqual([2, ['busy', 'rows']]);
  });
});

describe('preferences', () => {
  const keep = (contents: object, body: ActionBody) =>
    new RestAsker(settingsThatAnswer(200, {}), contents as Contents.IManager, () => 'a/n.ipynb').ask('keep', body);
  const keepIn = (contents: object, row: number) => keep(contents, { rows: [row] });

  /** A server with one file; each call takes a while. */
  function server(first: string | number) {
    const file = { content: first };
    const contents = {
      get: async () => {
        await Promise.resolve();
        if (typeof file.content === 'number') {
          throw new ServerConnection.ResponseError(new Response('', { status: file.content }), 'refused');
        }
        return { content: file.content };
      },
      save: async (_: string, model: { readonly content: string }) => {
        await Promise.resolve();
        file.content = model.content;
      }
    };
    return { file, contents };
  }

  it('are never replaced where they could not be read', async () => {
    const { file, contents } = server(500);
    await expect(keepIn(contents, 1)).rejects.toThrow('a/preferences.jsonl is as it was: refused');
    expect(file.content).toBe(500);
  });

  it('of two chats at once are both kept', async () => {
    const { file, contents } = server(404);
    await Promise.all([keepIn(contents, 1), keepIn(contents, 2)]);
    expect(file.content).toBe('1\n2\n');
  });

  it('are taken back, the newest of equal ones, and all other lines stay as they are', async () => {
    const { file, contents } = server('{"a":  1}\n# mine\n{"b": 2}\n{"a": 1}\n');
    await keep(contents, { rows: [{ c: 3 }], taken_back: [{ a: 1 }, { gone: 4 }] });
    expect(file.content).toBe('{"a":  1}\n# mine\n{"b": 2}\n{"c":3}\n');
  });

  it('make no file where there is none and nothing to keep', async () => {
    const { file, contents } = server(404);
    await keep(contents, { rows: [], taken_back: [{ a: 1 }] });
    expect(file.content).toBe(404);
  });
});
