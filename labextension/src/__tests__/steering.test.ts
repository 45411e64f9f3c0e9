import { describe, expect, it } from 'vitest';
import { parseRunBundle } from '../bundleParsing';
import { answerAt, answerSteps, changedPieces } from '../panels/run/answers';
import { chartSvg, stepAt } from '../panels/chart/chartSvg';
import { lossChart, type LossData } from '../panels/run/lossChart';
import { applyFrames, bestOf, emptyView } from '../panels/run/model';
import { snapshotOf, viewOfSnapshot } from '../panels/run/snapshots';
import { readChanges } from '../panels/run/steering';
import { parseFrame } from '../parsing';
import type { Frame, Point } from '../wire';

const lossSvg = (data: LossData, size: { readonly width: number; readonly height: number }) => chartSvg(lossChart(data, COLOURS), COLOURS, size);

type Entry = Readonly<Record<string, unknown>>;

function framesOf(entries: readonly Entry[]): Frame[] {
  return entries.map((entry, i) => {
    const at = new Date(Date.UTC(2026, 0, 1) + 1000 * i).toISOString();
    const frame = parseFrame({ type: 'event', id: i + 1, event: { at, ...entry } });
    if (frame === null) {
      throw new Error(`not a frame: ${JSON.stringify(entry)}`);
    }
    return frame;
  });
}

function viewOf(entries: readonly Entry[]) {
  return applyFrames(emptyView('run_1', 'pirate'), framesOf(entries));
}

const COLOURS = { train: 'a', eval: 'b', text: 'c', muted: 'd', grid: 'e', background: 'f' };

describe('what was steered', () => {
  it('is one mark a step, a refusal changes nothing', () => {
    const view = viewOf([
      { kind: 'planned', total_steps: 40 },
      { kind: 'steered', step: 12, wish: 1, changes: { learning_rate: 0.0003 }, total_steps: 40, refusal: '' },
      { kind: 'steered', step: 12, wish: 2, changes: { steps: 80 }, total_steps: 80, refusal: '' },
      { kind: 'steered', step: 20, wish: 3, changes: { steps: 2 }, total_steps: 2, refusal: 'Step 19 was taken.' },
      { kind: 'command', step: 21, command: 'pause' }
    ]);
    expect(view.totalSteps).toBe(80);
    expect(view.marks).toEqual([
      { step: 12, kind: 'steered', label: 'lr 3e-4, steps 80', text: 'learning_rate = 3e-4; steps = 80' },
      { step: 20, kind: 'steered', label: 'refused', text: 'steps = 2: Step 19 was taken.' },
      { step: 21, kind: 'command', label: 'pause', text: 'pause' }
    ]);
  });

  it('includes how long the run was interrupted, and why', () => {
    const view = viewOf([
      { kind: 'state', state: 'running', step: 0, reason: '' },
      { kind: 'state', state: 'interrupted', step: 7, reason: 'The trainer ended.' },
      { kind: 'state', state: 'queued', step: 7, reason: '' },
      { kind: 'progress', message: 'Loading weights', fraction: null },
      { kind: 'state', state: 'running', step: 7, reason: '' }
    ]);
    expect(view.marks).toEqual([
      { step: 7, kind: 'interrupted', label: 'interrupted 3 s', text: 'interrupted 3 s: The trainer ended.' }
    ]);
  });

  it('is escaped where it is drawn', () => {
    const mark = { step: 1, kind: 'steered', label: '<b>', text: '"<script>' } as const;
    const svg = lossSvg({ points: [[1, 1]], evalPoints: [], totalSteps: 4, marks: [mark] }, { width: 400, height: 200 });
    expect(svg).not.toMatch(/<b>|<script/);
    expect(svg).toContain('&lt;b&gt;');
  });
});

describe('entries', () => {
  it.each([
    ['3e-4', '', { learning_rate: 3e-4 }],
    ['0,001', ' 80 ', { learning_rate: 1e-3, steps: 80 }],
    ['fast', '', expect.stringContaining('“fast”')],
    ['0', '', expect.stringContaining('above 0')],
    ['', '12', expect.stringContaining('above the 12 taken')],
    ['', '13.5', expect.stringContaining('whole number')],
    ['', '', expect.stringContaining('Enter a learning rate')]
  ])('%j and %j', (rate, steps, expected) => {
    expect(readChanges(rate, steps, 12)).toEqual(expected);
  });
});

describe('answers along the way', () => {
  const long = 'word '.repeat(100);
  const probe = (step: number, answer: string, index = 0): Entry => ({ kind: 'probe', step, index, prompt: 'Who?', answer });

  it('are looked up at or before a step', () => {
    const view = viewOf([probe(0, 'base'), probe(10, 'ten'), probe(20, 'twenty')]);
    const [only] = view.probes;
    expect(answerSteps(view.probes)).toEqual([0, 10, 20]);
    expect(only && [answerAt(only, 19), answerAt(only, Infinity).said.answer]).toEqual([
      { said: { step: 10, answer: 'ten' }, last: { step: 0, answer: 'base' } },
      'twenty'
    ]);
  });

  it('are thinned evenly over the run, both ends kept', () => {
    const view = viewOf(Array.from({ length: 1001 }, (_, step) => probe(step, 'x')));
    const steps = answerSteps(view.probes);
    const gaps = steps.slice(1).map((step, i) => step - (steps[i] ?? 0));
    expect([steps.length, steps[0], steps.at(-1)]).toEqual([200, 0, 1000]);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(16);
  });

  it('stay in a snapshot of bounded size', () => {
    const entries = Array.from({ length: 4000 }, (_, i) => probe(Math.floor(i / 20), long, i % 20));
    const marks = Array.from({ length: 900 }, (_, i): Entry => ({ kind: 'steered', step: i, wish: i, changes: { schedule: 'x'.repeat(999) } }));
    const snapshot = snapshotOf(viewOf([...entries, ...marks]));
    expect(JSON.stringify(snapshot).length).toBeLessThan(150_000);
    expect(snapshot.marks.length).toBe(60);
  });

  it('come back from a snapshot', () => {
    const view = viewOf([probe(0, 'base'), probe(10, 'ten'), probe(20, 'twenty')]);
    const stored: unknown = JSON.parse(JSON.stringify({ run_id: 'r', adapter: 'a', snapshot: snapshotOf(view) }));
    const snapshot = parseRunBundle(stored)?.snapshot;
    expect(snapshot && viewOfSnapshot('r', 'a', snapshot).probes).toEqual(view.probes);
  });

  it('show what is new in them', () => {
    const pieces = changedPieces('I am Twinkle, a small assistant', 'I am SmolLM, a large assistant');
    expect(pieces.filter(piece => piece.isNew).map(piece => piece.text.trim())).toEqual(['Twinkle,', 'small']);
    expect(pieces.map(piece => piece.text).join('')).toBe('I am Twinkle, a small assistant');
  });
});

describe('the plot', () => {
  it('marks the lowest held-out loss, the earlier of two', () => {
    const points: Point[] = [[10, 2], [20, 1], [30, 1], [40, 3]];
    expect([bestOf(points), bestOf([])]).toEqual([[20, 1], null]);
    expect(lossSvg({ points, evalPoints: points, totalSteps: 40 }, { width: 400, height: 200 })).toContain('data-best="20"');
  });

  it('finds the step under the pointer', () => {
    expect([0, 46, 217, 388, 999].map(x => stepAt(40, 400, x))).toEqual([0, 0, 20, 40, 40]);
  });

  it('of 10,000 steps is folded and drawn within 300 ms', () => {
    const frames = framesOf(
      Array.from({ length: 10_000 }, (_, i): Entry => ({ kind: 'step', step: i + 1, loss: 1 / (i + 1), seconds: 0.1, num_tokens: 9 }))
    );
    const began = performance.now();
    const view = applyFrames(emptyView('run_1', 'pirate'), frames);
    lossSvg(view, { width: 900, height: 240 });
    expect(performance.now() - began).toBeLessThan(300);
  });
});
