import { describe, expect, it } from 'vitest';
import { cells, headings, sweepLine } from '../panels/sweep/cells';
import { curvesSvg } from '../panels/sweep/curvesSvg';
import { readValues } from '../panels/sweep/extend';
import { looksOf } from '../panels/sweep/looks';
import { sweepHtml, sweepText } from '../panels/sweep/picture';
import { parseSweep, parseSweepBundle, type Sweep } from '../sweepWire';

const SIZE = { width: 600, height: 260 };
const COLOURS = { muted: 'gray', grid: 'silver' };

function body(count: number, adapter = (i: number) => `kit-${i}`) {
  const members = Array.from({ length: count }, (_, i) => ({
    run_id: `run_${i}`,
    adapter: adapter(i),
    settings: { learning_rate: 10 ** -(i + 2), schedule: 'cosine' },
    state: i === 0 ? 'running' : 'stopped',
    step: 20 - i,
    total_steps: 40,
    loss: 1 + i,
    eval_loss: i === 1 ? null : 2 + i,
    rank: count - i,
    pruned_by: i === 2 ? 'halving' : '',
    points: [
      [1, 3 + i],
      [2, 2 + i]
    ],
    eval_points: [[2, 2 + i]]
  }));
  return {
    sweep_id: 'sweep_1',
    name: 'kit',
    state: 'running',
    members,
    grid: { learning_rate: [0.01, 0.001], schedule: ['cosine'] },
    best: 'kit-0'
  };
}

function sweep(count = 3, adapter?: (i: number) => string): Sweep {
  const parsed = parseSweep(body(count, adapter));
  if (parsed === null) {
    throw new Error('no sweep');
  }
  return parsed;
}

describe('a sweep from JSON', () => {
  it('is read with every member', () => {
    const { members, varied, best } = sweep();
    expect(members.map(one => one.rank)).toEqual([3, 2, 1]);
    expect(members[2]?.prunedBy).toBe('halving');
    expect([varied, best]).toEqual([['learning_rate', 'schedule'], 'kit-0']);
  });

  it.each([null, 3, {}, { sweep_id: 'x' }, { sweep_id: 'x', state: 'dancing' }])('is none in %j', value => {
    expect(parseSweep(value)).toBeNull();
  });

  it('outlives malformed members and points', () => {
    const value = { ...body(1), members: [null, { state: 'x' }, { ...body(1).members[0], points: [[1], 'a', [2, NaN], [3, 1]] }] };
    expect(parseSweep(value)?.members.map(one => one.points)).toEqual([[[3, 1]]]);
  });

  it('is named by its bundle even where the bundle has nothing of it', () => {
    expect(parseSweepBundle({ sweep_id: 's', name: 'kit', sweep: 7 })).toEqual({ sweepId: 's', name: 'kit', sweep: null });
    expect(parseSweepBundle({ name: 'kit' })).toBeNull();
  });
});

describe('a sweep in words', () => {
  it('has a cell for each heading', () => {
    const shown = sweep();
    expect(headings(shown)).toEqual(['#', 'adapter', 'learning rate', 'schedule', 'step', 'loss', 'held-out', 'state']);
    const [, second, third] = shown.members;
    expect(second && cells(shown, second)).toEqual(['2', 'kit-1', '1e-3', 'cosine', '19 of 40', '2.000', '–', 'Stopped']);
    expect(third && cells(shown, third).at(-1)).toBe('Stopped (halved)');
    expect(sweepLine(shown)).toBe('3 runs, 1 going on, ahead is kit-2');
    expect(sweepText(shown)).toBe('kit: running, 3 runs, 1 going on, ahead is kit-2');
  });

  it('takes values between commas', () => {
    expect(readValues(' 3e-3, 1e-2 ,, x ')).toEqual(['3e-3', '1e-2', 'x']);
  });
});

describe('the curves', () => {
  it('are one group a member, the best above the others, inside the frame', () => {
    const svg = curvesSvg(sweep(), COLOURS, SIZE);
    expect([...svg.matchAll(/data-run="(\w+)"/g)].map(found => found[1])).toEqual(['run_0', 'run_1', 'run_2']);
    const numbers = [...svg.matchAll(/M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)/g)].flatMap(found => found.slice(1).map(Number));
    expect(numbers.length).toBe(12);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(600);
  });

  it('keep their looks, and 24 of them differ', () => {
    const looks = [...looksOf(sweep(24)).values()].map(look => `${look.colour}${look.dash}`);
    expect(new Set(looks).size).toBe(24);
  });

  it('are drawn before there is a point', () => {
    const empty = { ...sweep(), members: [] };
    expect(curvesSvg(empty, COLOURS, SIZE)).toContain('<svg');
  });
});

describe('the saved picture of a sweep', () => {
  it('escapes what people wrote', () => {
    const html = sweepHtml(sweep(2, () => '<img src=x onerror=alert(1)>'));
    expect(html).not.toMatch(/<img/);
    expect(html).toContain('&lt;img');
  });
});
