import { describe, expect, it } from 'vitest';
import { linesOf } from '../panels/run/lossChart';
import {
  applyFrames,
  emptyView,
  secondsLeft,
  secondsTaken,
  thin,
  type RunView
} from '../panels/run/model';
import { snapshotOf, viewOfSnapshot } from '../panels/run/snapshots';
import { parseRunBundle } from '../bundleParsing';
import { parseFrame } from '../parsing';
import type { Frame, Point } from '../wire';

type Entry = Readonly<Record<string, unknown>>;

function event(id: number, entry: Entry): Frame {
  const at = new Date(Date.UTC(2026, 0, 1) + 1000 * id).toISOString();
  const frame = parseFrame({ type: 'event', id, event: { at, ...entry } });
  if (frame === null) {
    throw new Error(`not a frame: ${JSON.stringify(entry)}`);
  }
  return frame;
}

function step(id: number, at: number, loss = 1, seconds = 0.5): Frame {
  const numbers = { learning_rate: 1e-3, grad_norm: 1, num_tokens: 200, num_supervised: 50 };
  return event(id, { kind: 'step', step: at, loss, seconds, ...numbers });
}

function probe(id: number, at: number, index: number, answer: string): Frame {
  return event(id, { kind: 'probe', step: at, index, prompt: `prompt ${index}`, answer });
}

function state(id: number, name: string, at = 0, reason = ''): Frame {
  return event(id, { kind: 'state', state: name, step: at, reason });
}

const START: RunView = emptyView('run_1', 'pirate');

describe('events', () => {
  it('say what a run needs, where time went, and what a person should know of', () => {
    const view = applyFrames(START, [
      event(1, { kind: 'planned', total_steps: 4, memory_bytes: 1.2e9 }),
      event(2, { kind: 'step', step: 1, loss: 1, grad_norm: 0.5, forward_seconds: 0.2, queue_seconds: 0.1, metrics: { accuracy: 0.75, odd: null } }),
      event(3, { kind: 'notice', step: 1, message: 'Step 1 was computed in 4 parts.' })
    ]);
    expect(view).toMatchObject({
      memoryBytes: 1.2e9,
      gradNorm: 0.5,
      metrics: { accuracy: 0.75 },
      phases: { queue: 0.1, forward: 0.2, backward: 0, optimizer: 0 },
      notice: 'Step 1 was computed in 4 parts.'
    });
    expect(viewOfSnapshot('run_1', 'pirate', snapshotOf(view))).toMatchObject({
      memoryBytes: 1.2e9,
      gradNorm: 0.5,
      metrics: view.metrics,
      phases: view.phases,
      notice: view.notice
    });
  });

  it('grow an answer while it is written, and drop it when it is whole or its run is not running', () => {
    const part = (id: number, at: number, index: number, text: string): Frame =>
      event(id, { kind: 'probe_part', step: at, index, prompt: `prompt ${index}`, text });
    const view = applyFrames(START, [
      state(1, 'running'),
      part(2, 5, 0, 'I am'),
      part(3, 5, 1, 'Yes'),
      part(4, 5, 0, ' Twin')
    ]);
    expect(view.writing.map(one => [one.index, one.step, one.text])).toEqual([
      [1, 5, 'Yes'],
      [0, 5, 'I am Twin']
    ]);
    expect(view.probes).toEqual([]);
    const answered = applyFrames(view, [probe(5, 5, 0, 'I am Twinkle')]);
    expect(answered.writing.map(one => one.index)).toEqual([1]);
    expect(answered.probes.map(one => one.newest.answer)).toEqual(['I am Twinkle']);
    // A round that was broken off begins anew.
    expect(applyFrames(answered, [part(6, 6, 1, 'N')]).writing).toMatchObject([{ step: 6, text: 'N' }]);
    expect(applyFrames(answered, [state(6, 'interrupted', 5)]).writing).toEqual([]);
  });

  it('sent twice, count once', () => {
    const once = applyFrames(START, [state(1, 'running'), step(2, 1), step(3, 2)]);
    expect(applyFrames(once, [step(2, 1), step(3, 2)])).toEqual(once);
  });

  it('make the same view in one batch as one by one', () => {
    const frames = [
      state(1, 'queued'),
      event(2, { kind: 'planned', total_steps: 4, num_train_rows: 8, num_eval_rows: 2 }),
      probe(3, 0, 0, 'I am SmolLM'),
      step(4, 1, 3),
      step(5, 2, 2),
      event(6, { kind: 'eval', step: 2, loss: 2.5 }),
      probe(7, 2, 0, 'I am Twinkle'),
      state(8, 'stopped', 2)
    ];
    const oneByOne = frames.reduce((view, frame) => applyFrames(view, [frame]), START);
    expect(applyFrames(START, frames)).toEqual(oneByOne);
  });

  it('of an unknown kind or shape still move the position on', () => {
    const view = applyFrames(START, [event(1, { kind: 'kind of a later release' }), event(2, { kind: 'step', loss: 'x' })]);
    expect(view).toEqual({ ...START, lastEventId: 2, startedAt: '2026-01-01T00:00:01.000Z' });
  });

  it('leave the view that they were applied to as it was', () => {
    const before = applyFrames(START, [step(1, 1)]);
    const copy = structuredClone(before);
    applyFrames(before, [step(2, 2), probe(3, 2, 0, 'x')]);
    expect(before).toEqual(copy);
  });
});

describe('points', () => {
  it('have one a step, sorted, whatever order and repetition they came in', () => {
    const view = applyFrames(START, [step(1, 1, 3), step(2, 3, 1), step(3, 2, 2), step(4, 3, 0.9)]);
    expect(view.points).toEqual([
      [1, 3],
      [2, 2],
      [3, 0.9]
    ]);
    expect(view.step).toBe(3);
  });

  it('are thinned evenly, first and last kept', () => {
    const points = Array.from({ length: 10_001 }, (_, i): Point => [i, i]);
    expect(thin(points, 5)).toEqual([0, 2500, 5000, 7500, 10_000].map(i => [i, i]));
  });

  it('are never more than 2000 when drawn', () => {
    const points = Array.from({ length: 50_000 }, (_, i): Point => [i + 1, 1]);
    const lines = linesOf({ points, evalPoints: [] });
    expect([lines.points.length, lines.smoothed.length]).toEqual([4000, 4000]);
    expect(lines.smoothed.every(([, loss]) => Math.abs(loss - 1) < 1e-9)).toBe(true);
  });
});

describe('probes', () => {
  it('show the newest answer and the first one as before', () => {
    const view = applyFrames(START, [
      probe(1, 0, 1, 'Paris'),
      probe(2, 0, 0, 'SmolLM'),
      probe(3, 10, 0, 'Twink'),
      probe(4, 20, 0, 'Twinkle')
    ]);
    expect(view.probes).toMatchObject([
      {
        index: 0,
        prompt: 'prompt 0',
        newest: { step: 20, answer: 'Twinkle' },
        before: { step: 0, answer: 'SmolLM' }
      },
      { index: 1, prompt: 'prompt 1', newest: { step: 0, answer: 'Paris' }, before: null }
    ]);
  });

  it('keep the newest answer when an older one comes late', () => {
    const view = applyFrames(START, [probe(1, 10, 0, 'new'), probe(2, 0, 0, 'old')]);
    expect(view.probes[0]?.newest).toEqual({ step: 10, answer: 'new' });
  });
});

describe('pace', () => {
  it('is the median of the newest steps, so that a pause does not count', () => {
    const frames = [1, 2, 3, 4, 5].map(i => step(i + 2, i, 1, i === 3 ? 600 : 0.5));
    const planned = event(1, { kind: 'planned', total_steps: 9 });
    const view = applyFrames(START, [planned, state(2, 'running'), ...frames]);
    expect([view.secondsPerStep, view.tokensPerSecond, secondsLeft(view)]).toEqual([0.5, 400, 2]);
  });

  it('is no time left while the run is paused', () => {
    const planned = event(1, { kind: 'planned', total_steps: 9 });
    const view = applyFrames(START, [planned, step(2, 1), state(3, 'paused', 1)]);
    expect(secondsLeft(view)).toBeNull();
  });

  it('ends as the time taken', () => {
    const view = applyFrames(START, [state(1, 'queued'), step(2, 1), state(9, 'finished', 1)]);
    expect(secondsTaken(view)).toBe(8);
  });
});

describe('messages', () => {
  it('last until the next step', () => {
    const loading = event(2, { kind: 'progress', message: 'Loading weights', fraction: 0.5 });
    const waiting = applyFrames(START, [state(1, 'queued'), loading, state(3, 'running')]);
    expect([waiting.message, waiting.fraction]).toEqual(['Loading weights', 0.5]);
    const going = applyFrames(waiting, [step(4, 1)]);
    expect([going.message, going.fraction]).toEqual(['', null]);
  });

  it('a command is wanted until the state follows', () => {
    const asked = applyFrames(START, [state(1, 'running'), event(2, { kind: 'command', command: 'pause', step: 3 })]);
    expect(asked.wanted).toBe('pause');
    expect(applyFrames(asked, [state(3, 'paused', 3)]).wanted).toBeNull();
  });
});

describe('snapshots', () => {
  it('bring back what was shown', () => {
    const view = applyFrames(START, [
      event(1, { kind: 'planned', total_steps: 2 }),
      probe(2, 0, 0, 'SmolLM'),
      step(3, 1, 2),
      probe(4, 1, 0, 'Twinkle'),
      state(5, 'failed', 1, 'Out of memory.')
    ]);
    const stored: unknown = JSON.parse(
      JSON.stringify({ run_id: 'run_1', adapter: 'pirate', snapshot: snapshotOf(view) })
    );
    const snapshot = parseRunBundle(stored)?.snapshot;
    expect(snapshot && viewOfSnapshot('run_1', 'pirate', snapshot)).toEqual({
      ...view,
      startedAt: '',
      endedAt: '',
      timings: []
    });
  });

  it('have at most 500 points', () => {
    const frames = Array.from({ length: 3000 }, (_, i) => step(i + 1, i + 1));
    const snapshot = snapshotOf(applyFrames(START, frames));
    expect([snapshot.points.length, snapshot.points.at(-1)]).toEqual([500, [3000, 1]]);
  });
});
