import { describe, expect, it } from 'vitest';
import { parseAdapterLines, parseAdaptersBundle } from '../adaptersWire';
import { chatJson, parseChatBundle, parseTokensBundle, parseTokenView, withLogprobsOf, type ChatTurn } from '../asking';
import { parseRunsBundle } from '../bundleParsing';
import { adaptersLine, byLineage, COLUMNS, sortedLines } from '../panels/adapters/cells';
import { adapterCode } from '../panels/adapters/code';
import { alignCurves } from '../panels/chart/align';
import { chartSvg } from '../panels/chart/chartSvg';
import { pythonCode } from '../panels/chat/code';
import { chatHtml } from '../panels/chat/picture';
import { conversation, preferencesOf } from '../panels/chat/preferences';
import { curveChart, FIRST_SETTINGS, lossChart } from '../panels/run/lossChart';
import { applyFrames, emptyView, type RunView } from '../panels/run/model';
import { saidAt } from '../panels/run/runPlot';
import { runsChart } from '../panels/runs/curves';
import { runsBundleOf, runsHtml } from '../panels/runs/picture';
import { logTicks } from '../panels/svgFrame';
import { shadeOf, shadingsOf } from '../panels/tokens/shading';
import { detailsOf } from '../panels/tokens/ribbon';
import { countsOf } from '../panels/tokens/panel';
import { parseFrame } from '../parsing';
import { SseReader } from '../sse';
import type { Frame } from '../wire';

const COLOURS = { train: 'blue', eval: 'orange', text: 'black', muted: 'gray', grid: 'silver', background: 'white' };

function run(runId: string, numSteps: number, entries: readonly Record<string, unknown>[] = []): RunView {
  const steps = Array.from({ length: numSteps }, (_, i) => ({
    kind: 'step', at: '', step: i + 1, loss: 2 / (i + 1), learning_rate: 1e-3, grad_norm: 0.5, num_tokens: 100, seconds: 0.5
  }));
  const frames = [...steps, ...entries]
    .map((event, i) => parseFrame({ type: 'event', id: i + 1, event }))
    .filter((frame): frame is Frame => frame !== null);
  return applyFrames(emptyView(runId, `<${runId}>`), frames);
}

describe('the curves of a run', () => {
  it('are its loss, or another number of each step', () => {
    const view = run('r', 60, [{ kind: 'checkpoint', step: 40 }, { kind: 'checkpoint', step: 20 }]);
    expect([view.checkpoints, view.speeds[9], view.gradNorms.length]).toEqual([[20, 40], [10, 200], 60]);
    const rates = curveChart(view.learningRates, view, COLOURS, { ...FIRST_SETTINGS, curve: 'learning_rate' });
    expect([rates.curves[0]?.points[0], rates.curves[1]?.points.length]).toEqual([[1, 1e-3], 0]);
  });

  it('are smoothed as much as is asked', () => {
    const smoothed = (smoothing: number) => lossChart(run('r', 100), COLOURS, { ...FIRST_SETTINGS, smoothing }).curves[1]?.points.length;
    expect([smoothed(0), smoothed(0.5)]).toEqual([0, 100]);
  });

  it('have no point at or below zero on a logarithmic scale', () => {
    const data = { points: [[1, 10], [2, 0], [3, 0.1]] as const, evalPoints: [], totalSteps: 3 };
    const svg = chartSvg(lossChart(data, COLOURS, { ...FIRST_SETTINGS, isLog: true }), COLOURS, { width: 400, height: 200 });
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(logTicks(0.08, 12)).toEqual([0.1, 0.2, 0.5, 1, 2, 5, 10]);
  });

  it('share one row of steps, with gaps where a curve has no point', () => {
    const curves = [
      { name: 'a', colour: '', points: [[1, 5], [3, 6]] as const },
      { name: 'b', colour: '', points: [[2, 7], [3, 8]] as const }
    ];
    expect(alignCurves(curves, false)).toEqual([[1, 2, 3], [5, null, 6], [null, 7, 8]]);
  });

  it('say what is known of a step, the answer of a probe too', () => {
    const view = run('r', 9, [
      { kind: 'probe', step: 0, index: 0, prompt: 'Who?', answer: 'SmolLM' },
      { kind: 'probe', step: 6, index: 0, prompt: 'Who?', answer: 'Arr' },
      { kind: 'steered', step: 5, wish: 1, changes: { learning_rate: 5e-4 } }
    ]);
    expect(saidAt(view, 'loss', 5)).toEqual([
      ['Step', '5'],
      ['Train loss', '0.400'],
      ['Here', 'learning_rate = 5e-4'],
      ['Who?', 'base model: SmolLM']
    ]);
    expect(saidAt(view, 'loss', 7).at(-1)).toEqual(['Who?', 'step 6: Arr']);
  });
});

describe('several runs', () => {
  const views = [run('a', 5000), run('b', 100)];

  it('are thinned to the same steps', () => {
    const curves = runsChart(views).curves.map(curve => curve.points);
    expect(curves.map(points => points.length)).toEqual([1000, 0, 20, 0]);
    expect(alignCurves(runsChart(views).curves, false)[0].length).toBe(1000);
  });

  it('are left out and made faint', () => {
    const chart = runsChart(views, { isLog: false, smoothing: 0, hidden: new Set(['a']), pointed: 'a' });
    expect(chart.curves.map(curve => [curve.points.length > 0, curve.opacity])).toEqual([[false, 1], [false, 1], [true, 0.15], [false, 0.15]]);
  });

  it('are kept small in a notebook, and escaped', () => {
    const many = Array.from({ length: 8 }, (_, i) => run(`r${i}`, 3000));
    const kept: unknown = JSON.parse(JSON.stringify(runsBundleOf(many)));
    expect(JSON.stringify(kept).length).toBeLessThan(50_000);
    expect(parseRunsBundle(kept)?.runs.map(one => one.run_id)).toEqual(many.map(view => view.runId));
    expect(runsHtml(views)).not.toContain('<a>');
  });
});

describe('tokens', () => {
  const bundle = parseTokensBundle({
    title: 'Row 1',
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ type: 'function' }],
    reasoning: 'strip',
    view: {
      loss_mask: 'all-assistant', loss_masks: ['all-assistant'], max_length: 2, num_learned: 1,
      tokens: { id: [7, 8, 9], text: ['<s>', ' Hi', '\n'], role: ['', 'assistant', 'user'], weight: [0, 1, 1], special: [true, false, false], start: [0, 3, 6], end: [3, 6, 7] },
      faults: [{ code: 'answer_cut', sentence: 'the answer is cut', severity: 'warn', tokens: [2, 3] }]
    }
  });

  it('are read, counted and described', () => {
    const view = bundle?.view;
    expect(view && countsOf(view)).toBe('3 tokens, 1 learned, 1 cut');
    expect(view?.faults).toEqual([{ sentence: 'the answer is cut', isRefusal: false, token: 2 }]);
    expect(view?.tokens.map((token, place) => detailsOf(token, place, view))).toEqual([
      '"<s>" · id 7 · token 1 of 3 · before the first message · read only · characters 0 to 3 · special',
      '" Hi" · id 8 · token 2 of 3 · assistant · learned with weight 1 · characters 3 to 6',
      '"\\n" · id 9 · token 3 of 3 · user · cut · characters 6 to 7'
    ]);
    expect(view && shadingsOf(view)).toEqual([]);
    expect([bundle?.tools, bundle?.reasoning]).toEqual([[{ type: 'function' }], 'strip']);
    const older = parseTokensBundle({ view: { tokens: {} } });
    expect([older?.tools, older?.reasoning]).toEqual([[], 'keep']);
  });

  it('carry how likely they were before and after, and keep it under another rule', () => {
    const plain = bundle?.view;
    const columns = { id: [7, 8, 9], text: ['<s>', ' Hi', '\n'], logprob: [null, -0.5, -3], base_logprob: [null, -3] };
    const view = parseTokenView({ adapter: 'pirate', tokens: columns });
    if (plain === undefined || view === null) {
      throw new Error('no view');
    }
    expect(shadingsOf(view).map(([name]) => name)).toEqual(['role', 'change', 'adapter', 'base']);
    const [first, second, third] = view.tokens;
    expect(first && shadeOf(first, 'change')).toBeNull();
    expect(second && shadeOf(second, 'change')).toEqual({ hue: 'success', strength: 0.5 });
    expect(third && [shadeOf(third, 'adapter')?.strength, shadeOf(third, 'base')]).toEqual([0.6, null]);
    const said = view.tokens.map((token, place) => detailsOf(token, place, view).split(' · ').at(-1));
    expect(said[1]).toBe('log-probability \u22120.50 with pirate, \u22123.00 before: 12 times as likely');
    expect(said[2]).toBe('log-probability \u22123.00 with pirate');
    const again = withLogprobsOf(plain, view);
    expect([again.adapter, again.numLearned, again.tokens[1]?.baseLogprob]).toEqual(['pirate', 1, -3]);
    expect(withLogprobsOf({ ...plain, tokens: plain.tokens.slice(1) }, view).adapter).toBe('');
  });
});

describe('adapters', () => {
  const details = (parent: string, size: number, place = 'stored') => ({ place, size_bytes: size, num_checkpoints: 2, expires_at: '', parent, parent_step: 40 });
  const lines = parseAdapterLines({
    adapters: [
      { name: 'ada', rank: 8, step: 7, base_model: '/models/tiny', folder: '/w/ada', details: details('pirate', 3e6) },
      { name: 'pirate', rank: 16, step: 1200, base_model: 'tiny', folder: '/w/p', details: details('', 9e6, 'active') },
      { name: 'lost', rank: 4, base_model: 'tiny', details: details('gone', 0, '') },
      { name: 'a', details: details('b', 0) },
      { name: 'b', details: details('a', 0) },
      { rank: 4 },
      null
    ]
  });

  it('stand below what they went on from, whatever is missing', () => {
    expect(byLineage(lines).map(({ one, depth }) => [one.name, depth])).toEqual([['pirate', 0], ['ada', 1], ['lost', 0], ['a', 0], ['b', 0]]);
    expect(lines.slice(0, 1).map(one => COLUMNS.map(column => column.text(one)))[0]).toEqual(['ada', 'pirate@40', '8', 'tiny', '7', '', 'on disk', '3 MB in 2', '']);
    expect(adaptersLine(lines)).toBe('5 adapters, 12 MB on disk');
  });

  it('are sorted by any column, and are code', () => {
    const rank = COLUMNS.find(column => column.heading === 'rank');
    expect(rank && sortedLines(lines, rank, true).map(({ one }) => one.name)).toEqual(['pirate', 'ada', 'lost', 'a', 'b']);
    expect(lines[1] && adapterCode(lines[1])).toContain('connect().adapter("pirate")');
    expect(lines[2] && adapterCode(lines[2])).not.toContain('peft');
    expect(parseAdaptersBundle({ adapters: 3 })).toBeNull();
  });
});

describe('a chat', () => {
  const answer = (model: string, text: string) => ({ model, text, note: 'done', isWhole: true });
  const turns: ChatTurn[] = [
    { prompt: 'Hi', answers: [answer('a', 'Arr'), answer('b', 'Hello')] },
    { prompt: 'Who?', answers: [answer('a', 'Ada'), answer('b', 'SmolLM')] }
  ];

  it('gives each model what it has said itself', () => {
    expect(conversation(turns, 1, 1, 'Be brief').map(message => message['content'])).toEqual(['Be brief', 'Hi', 'Hello', 'Who?']);
  });

  it('makes a preference of one thumb of two', () => {
    const rows = preferencesOf(turns, 0, [null, 'down'], '');
    expect(rows).toEqual([
      {
        prompt: [{ role: 'user', content: 'Hi' }],
        chosen: [{ role: 'assistant', content: 'Arr' }],
        rejected: [{ role: 'assistant', content: 'Hello' }]
      }
    ]);
  });

  it('makes none of equal answers, of one answer, and of both thumbs up', () => {
    const same = [{ prompt: 'Hi', answers: [answer('a', 'x'), answer('b', 'x')] }];
    const single = [{ prompt: 'Hi', answers: [answer('a', 'x')] }];
    expect([preferencesOf(same, 0, ['up'], ''), preferencesOf(single, 0, ['up'], ''), preferencesOf(turns, 0, ['up', 'up'], '')]).toEqual([[], [], []]);
  });

  it('comes back from a notebook, and is escaped in its picture', () => {
    const bundle = parseChatBundle({ chat_id: 'c', models: ['a', 'b'], settings: { temperature: 0, max_tokens: 9 }, turns: [{ prompt: '<b>', answers: [answer('a', '<script>')] }] });
    expect(bundle && parseChatBundle(JSON.parse(JSON.stringify(chatJson(bundle))))).toEqual(bundle);
    expect(bundle && chatHtml(bundle)).not.toMatch(/<b><|<script/);
  });

  it('is copied as a program with everything quoted', () => {
    const code = pythonCode(['a"b'], [{ role: 'user', content: 'say "hi"\n' }], { temperature: 0.5, topP: 1, maxTokens: 9, seed: 3 });
    expect(code).toContain('{"role": "user", "content": "say \\"hi\\"\\n"},');
    expect(code).toContain('for model in ["a\\"b"]:');
  });

  it('reads a stream that is cut anywhere', () => {
    const bytes = new TextEncoder().encode('event: delta\ndata: {"text": "Ç"}\n\nevent: done\ndata: {}\n\n');
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const reader = new SseReader();
      const frames = [...reader.feed(bytes.slice(0, cut)), ...reader.feed(bytes.slice(cut))];
      expect(frames).toEqual([{ event: 'delta', data: '{"text": "Ç"}' }, { event: 'done', data: '{}' }]);
    }
  });
});
