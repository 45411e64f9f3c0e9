import { describe, expect, it, vi } from 'vitest';
import { parseUsage } from '../sidebar/admin/usage';
import { OverviewFeed } from '../sidebar/feed';
import { chatTabId } from '../sidebar/ids';
import {
  applyFrame,
  inOrder,
  NOTHING_KNOWN,
  pendingWord,
  secondsLeft,
  withoutLink,
  type Overview,
  type Run
} from '../sidebar/model';
import { sparklinePath } from '../sidebar/sparkline';
import { adapterNameFor, formatAge, isDataFile, quoted, trainCell, withLoading } from '../sidebar/words';
import QUOTED from './quoted.json';
import { Socket, settingsWithSockets, useSockets } from './socket';

type Json = Readonly<Record<string, unknown>>;

function run(id: string, more: Json = {}): Json {
  return { run_id: id, adapter: id, state: 'running', wanted: 'running', step: 3, total_steps: 10, points: [[1, 2]], ...more };
}

function frame(more: Json = {}): Json {
  return { type: 'overview', service: { phase: 'ready', message: '', version: '1' }, can_start: true, ...more };
}

function known(...runs: Json[]): Overview {
  const order = runs.map(one => one['run_id']);
  return applyFrame(NOTHING_KNOWN, frame({ runs, order, rest: { adapters: [{ name: 'a', step: 1 }], num_older_runs: 4 } }));
}

function only(overview: Overview): Run {
  const [first] = overview.runs;
  if (first === undefined) {
    throw new Error('no run');
  }
  return first;
}

describe('an overview', () => {
  it('takes what is new and keeps the rest', () => {
    const first = known(run('a'), run('b'));
    const next = applyFrame(first, frame({ runs: [run('b', { step: 4 }), run('c')], order: ['c', 'b'] }));

    expect(next.runs.map(one => [one.run_id, one.step])).toEqual([['c', 3], ['b', 4]]);
    expect(next.adapters).toHaveLength(1);
    expect(next.numOlderRuns).toBe(4);
  });

  it('keeps what was known while the service is away', () => {
    const away = applyFrame(known(run('a')), frame({ service: { phase: 'starting', message: 'It is being restarted' } }));

    expect([away.isLive, away.isKnown, away.phase, away.message]).toEqual([false, true, 'starting', 'It is being restarted']);
    expect(away.runs).toHaveLength(1);
    expect(withoutLink(away, 'lost').link).toBe('lost');
  });

  it('outlives what it does not understand', () => {
    const broken = frame({ runs: [null, 7, { run_id: 'a', state: 'dancing' }, run('b', { points: [[1], 'x', [2, 3]], loss: 'low' })], order: ['a', 'b', 5], rest: { adapters: [{}], limits: 3 } });
    const overview = applyFrame(NOTHING_KNOWN, broken);

    expect(overview.runs.map(one => one.run_id)).toEqual(['b']);
    expect(only(overview).points).toEqual([[2, 3]]);
    expect(only(overview).loss).toBeNull();
    expect([overview.adapters, overview.limits]).toEqual([[], []]);
    for (const value of [null, 'x', 3, { type: 'other' }]) {
      expect(applyFrame(overview, value)).toBe(overview);
    }
  });

  it('shows first what goes on, and what was asked for at once', () => {
    const overview = known(run('a', { state: 'finished' }), run('b', { wanted: 'paused' }), run('c', { state: 'paused' }));

    expect(inOrder(overview.runs).map(one => one.run_id)).toEqual(['b', 'c', 'a']);
    expect(overview.runs.map(pendingWord)).toEqual(['', 'Pausing…', 'Resuming…']);
  });

  it('tells the time that is left while it goes on', () => {
    expect(secondsLeft(only(known(run('a', { seconds_per_step: 2 }))))).toBe(14);
    expect(secondsLeft(only(known(run('a', { seconds_per_step: 2, state: 'paused' }))))).toBeNull();
    expect(secondsLeft(only(known(run('a', { seconds_per_step: 2, total_steps: 0 }))))).toBeNull();
  });
});

describe('a sparkline', () => {
  it('goes from corner to corner', () => {
    expect(sparklinePath([[1, 4], [2, 2], [3, 3]], 20, 10)).toBe('M0.0 0.0L10.0 10.0L20.0 5.0');
  });

  it('lies in the middle where nothing changes, and needs two points', () => {
    expect(sparklinePath([[1, 2], [5, 2]], 10, 10)).toBe('M0.0 5.0L10.0 5.0');
    expect([sparklinePath([[1, 2]], 10, 10), sparklinePath([], 10, 10)]).toEqual(['', '']);
  });
});

describe('words', () => {
  it('make cells that work', () => {
    expect(trainCell('data/Pirate talk.jsonl', 'work/a.ipynb')).toBe("%twinkle train '../data/Pirate talk.jsonl' --adapter Pirate-talk");
    expect(trainCell('a/rows.csv', 'a/n.ipynb')).toBe('%twinkle train rows.csv --adapter rows');
    expect(withLoading('%twinkle show a', [])).toBe('%load_ext twinkle_jupyter\n%twinkle show a');
    expect(withLoading('%twinkle show a', ['x = 1\n%load_ext twinkle_jupyter'])).toBe('%twinkle show a');
  });

  it('quote as is asked for, on the other side, of IPython', () => {
    expect(QUOTED.map(([word]) => [word, quoted(word ?? '')])).toEqual(QUOTED);
  });

  it('name adapters as the service takes them', () => {
    const names = ['../x/Über-Daten (2).jsonl', '.hidden.csv', 'base.jsonl', `${'a'.repeat(80)}.jsonl`].map(adapterNameFor);
    expect(names).toEqual(['ber-Daten-2', 'hidden', 'adapter', 'a'.repeat(64)]);
    expect(['a.JSONL', 'a.parquet', 'a.txt', 'a.ipynb'].map(isDataFile)).toEqual([true, true, false, false]);
  });

  it('name a tab for each list of models', () => {
    const lists = [['pirate.v2', 'base'], ['pirate_v2', 'base'], ['pirate-v2', 'base'], ['pirate', 'v2-base'], ['pirate', 'v2', 'base'], ['a+b'], ['a', 'b']];
    const ids = lists.map(chatTabId);
    expect(new Set(ids).size).toBe(lists.length);
    expect(ids.join('')).not.toMatch(/\s/);
  });

  it('say how old something is', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    const ages = ['2026-01-01T23:59:30Z', '2026-01-01T23:00:00Z', '2025-12-30T00:00:00Z', ''].map(at => formatAge(at, now));
    expect(ages).toEqual(['just now', '1 h ago', '3 d ago', '']);
  });
});

describe('the feed', () => {
  const feedWith = (status = 200, more: Json = {}) => new OverviewFeed(settingsWithSockets(status, more));

  useSockets();

  it('comes back by itself, later each time, and at once after an answer', async () => {
    const feed = feedWith();
    feed.use();
    Socket.newest.onopen?.();
    Socket.newest.hear(frame({ runs: [run('a')], order: ['a'] }));
    expect(feed.current.runs).toHaveLength(1);

    Socket.newest.onclose?.();
    await vi.advanceTimersByTimeAsync(260);
    expect([feed.current.link, feed.current.runs.length, Socket.all.length]).toEqual(['lost', 1, 2]);
    Socket.newest.onopen?.();
    Socket.newest.onclose?.();
    await vi.advanceTimersByTimeAsync(260);
    expect(Socket.all).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(260);
    expect(Socket.all).toHaveLength(3);
    Socket.newest.hear(frame({ runs: [], order: [] }));
    expect([feed.current.link, feed.current.runs.length]).toEqual(['live', 0]);
  });

  it('says that there is no extension, and asks no more', async () => {
    const feed = feedWith(404);
    feed.use();
    Socket.newest.onclose?.();
    await vi.advanceTimersByTimeAsync(60_000);

    expect([feed.current.link, Socket.all.length]).toEqual(['no-extension', 1]);
  });

  it('has one socket, also where somebody looks while the route is asked for', async () => {
    const feed = feedWith();
    feed.use();
    Socket.newest.onclose?.();
    feed.use();
    await vi.advanceTimersByTimeAsync(260);
    expect(Socket.all).toHaveLength(2);
  });

  it('is closed a while after nobody looks, and opened again', async () => {
    const feed = feedWith();
    feed.use();
    feed.use();
    feed.release();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(Socket.newest.isClosed).toBe(false);
    feed.release();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(Socket.newest.isClosed).toBe(true);
    feed.use();
    expect(Socket.all).toHaveLength(2);
  });

  it('has the token in no address unless the page says that it must', () => {
    feedWith().use();
    expect(Socket.newest.url).toBe('ws://x/user/a/twinkle-jupyter/overview');
    feedWith(200, { appendToken: true }).use();
    expect(Socket.newest.url).toContain('?token=secret');
  });
});

describe('what an admin is told', () => {
  it('has the busiest first, and outlives what it does not understand', () => {
    const user = (name: string, tokens: number) => ({ user: name, tokens_per_minute: tokens, num_adapters: 3, num_active_adapters: 1, runs: { running: 1, queued: 1, finished: 9 }, storage_bytes: 5e6 });
    const usage = parseUsage({ users: [user('anna', 5), user('ben', 9000), 7], base_models: [{ base_model: 'tiny', num_slots: 64, queued_ops: 1 }], maintenance: null, broadcast: { message: 'x' } });

    expect(usage.users.map(one => one.user)).toEqual(['ben', 'anna']);
    expect(usage.users[0]?.facts).toBe('2 runs going · 1 of 3 adapters in slots · 9\u202f000 tokens a minute · 5 MB');
    expect(usage.models[0]?.facts).toBe('0 of 64 slots · 0 tokens a minute · 1 request waits');
    expect([usage.isDrained, usage.hasBroadcast]).toEqual([false, true]);
    expect(parseUsage('x').users).toEqual([]);
  });
});
