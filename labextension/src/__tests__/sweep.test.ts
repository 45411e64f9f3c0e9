import { describe, expect, it } from 'vitest';
import { chartSvg } from '../panels/chart/chartSvg';
import { cells, columnsOf, headings, secondsLeft, sorted, sweepLine } from '../panels/sweep/cells';
import { sweepChart, sweepSaidAt, WHOLE_SWEEP } from '../panels/sweep/chart';
import { readValues } from '../panels/sweep/extend';
import { looksOf } from '../panels/sweep/looks';
import { sweepHtml, sweepText } from '../panels/sweep/picture';
import { parseSweep, parseSweepBundle, type Sweep } from '../sweepWire';

const SIZE = { width: 600, height: 260 };
const COLOURS = { train: 'blue', eval: 'orange', text: 'black', muted: 'gray', grid: 'silver', background: 'white' };

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
    seconds_per_step: i === 0 ? 3 : null,
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
    expect(headings(shown)).toEqual(['#', 'adapter', 'learning rate', 'schedule', 'step', 'loss', 'held-out', 'state', 'left']);
    const [, second, third] = shown.members;
    expect(second && cells(shown, second)).toEqual(['2', 'kit-1', '1e-3', 'cosine', '19 of 40', '2.000', '–', 'Stopped', '–']);
    expect(third && cells(shown, third).slice(-2)).toEqual(['Stopped (halved)', '–']);
    expect(sweepLine(shown)).toBe('3 runs, 1 going on, about 1:00 left, ahead is kit-2');
    expect(sweepText(shown)).toBe('kit: running, 3 runs, 1 going on, about 1:00 left, ahead is kit-2');
  });

  it('marks the best and tells the time that is left', () => {
    const { members } = sweep();
    const shown = sweep();
    expect(members.map(one => cells(shown, one)[0])).toEqual(['3', '2', '1 ★']);
    expect(members.map(secondsLeft)).toEqual([60, null, null]);
  });

  it('is sorted by any column, what is not known last', () => {
    const { members } = sweep();
    const order = (heading: string, isDescending: boolean): string[] => {
      const column = columnsOf(sweep()).find(one => one.heading === heading);
      return column === undefined ? [] : sorted(members, column, isDescending).map(one => one.adapter);
    };
    expect(order('#', false)).toEqual(['kit-2', 'kit-1', 'kit-0']);
    expect(order('loss', true)).toEqual(['kit-2', 'kit-1', 'kit-0']);
    expect(order('held-out', false)).toEqual(['kit-0', 'kit-2', 'kit-1']);
    expect(order('held-out', true)).toEqual(['kit-2', 'kit-0', 'kit-1']);
    expect(order('schedule', false)).toEqual(['kit-2', 'kit-1', 'kit-0']);
  });

  it('takes values between commas', () => {
    expect(readValues(' 3e-3, 1e-2 ,, x ')).toEqual(['3e-3', '1e-2', 'x']);
  });
});

describe('the curves', () => {
  it('are one group a member, the best thicker and ringed, inside the frame', () => {
    const svg = chartSvg(sweepChart(sweep()), COLOURS, SIZE);
    expect([...new Set([...svg.matchAll(/data-run="(\w+)"/g)].map(found => found[1]))]).toEqual(['run_0', 'run_1', 'run_2']);
    const numbers = [...svg.matchAll(/M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)/g)].flatMap(found => found.slice(1).map(Number));
    expect(numbers.length).toBe(12);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(600);
    expect(svg).toContain('data-best="2"');
    expect(sweepChart(sweep()).curves.map(curve => curve.width)).toEqual([1.4, 0, 1.4, 0, 2.6, 0]);
  });

  it('leave out and make faint what is not looked at, and tell every loss at a step', () => {
    const chart = sweepChart(sweep(), { ...WHOLE_SWEEP, hidden: new Set(['run_0']), pointed: 'run_1' });
    expect(chart.curves.map(curve => [curve.points.length, curve.opacity])).toEqual([[0, 0.12], [0, 0.12], [2, 1], [1, 1], [2, 0.12], [1, 0.12]]);
    expect(sweepSaidAt(sweep(), 15)).toEqual([['Step', '15'], ['kit-0', '2.000'], ['kit-1', '3.000'], ['kit-2', '4.000']]);
    expect(sweepSaidAt(sweep(), 19)).toHaveLength(3);
  });

  it('keep their looks, and 24 of them differ', () => {
    const looks = [...looksOf(sweep(24)).values()].map(look => `${look.colour}${look.dash}`);
    expect(new Set(looks).size).toBe(24);
  });

  it('are drawn before there is a point', () => {
    const empty = { ...sweep(), members: [] };
    expect(chartSvg(sweepChart(empty), COLOURS, SIZE)).toContain('<svg');
  });
});

describe('the saved picture of a sweep', () => {
  it('escapes what people wrote', () => {
    const html = sweepHtml(sweep(2, () => '<img src=x onerror=alert(1)>'));
    expect(html).not.toMatch(/<img/);
    expect(html).toContain('&lt;img');
  });
});
