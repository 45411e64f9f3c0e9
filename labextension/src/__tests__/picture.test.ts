import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatMemory,
  formatPhases,
  formatRate
} from '../panels/format';
import { ticks } from '../panels/svgFrame';
import { applyFrames, emptyView } from '../panels/run/model';
import { pictureHtml, pictureText } from '../panels/run/picture';
import { parseErrorBody, parseFrame } from '../parsing';
import type { Frame } from '../wire';

function longRun(numSteps: number, answer: string) {
  const frames: Frame[] = [];
  for (let step = 1; step <= numSteps; step += 1) {
    const event = { kind: 'step', at: '', step, loss: 3 / step, learning_rate: 1e-3, seconds: 1 };
    const evaluated = { kind: 'eval', at: '', step, loss: 3 / step };
    const answered = { kind: 'probe', at: '', step, index: step % 20, prompt: answer, answer };
    for (const entry of [event, evaluated, answered]) {
      const frame = parseFrame({ type: 'event', id: frames.length + 1, event: entry });
      if (frame !== null) {
        frames.push(frame);
      }
    }
  }
  return applyFrames(emptyView('run_1', '<b>pirate</b>'), frames);
}

describe('the saved picture', () => {
  it('stays under 20 kB for a long run with long answers', () => {
    const html = pictureHtml(longRun(2000, 'What a long story. '.repeat(200)));
    expect(new TextEncoder().encode(html).length).toBeLessThan(20_000);
  });

  it('escapes what people and models wrote', () => {
    const html = pictureHtml(longRun(3, '<img src=x onerror=alert(1)>'));
    expect(html).not.toMatch(/<img|<b>pirate/);
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  it('refers to nothing outside', () => {
    expect(pictureHtml(longRun(3, 'x')).replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(/);
  });

  it('has a line of text', () => {
    expect(pictureText(longRun(3, 'x'))).toBe('<b>pirate</b> (run_1): queued, step 3, loss 1.000');
  });

  it('of a run without a step is still a picture', () => {
    expect(pictureHtml(emptyView('run_1', 'pirate'))).toContain('no point yet');
  });
});

describe('numbers', () => {
  it.each([
    [formatLoss(null), '–'],
    [formatLoss(1.23456), '1.235'],
    [formatLoss(0.00012), '1.2e-4'],
    [formatLearningRate(0.0003), '3e-4'],
    [formatLearningRate(0.00025), '2.5e-4'],
    [formatLearningRate(0.02), '0.02'],
    [formatLearningRate(0), '0'],
    [formatRate(1234.4), '1\u202f234'],
    [formatRate(3.21), '3.2'],
    [formatMemory(1_234_000_000), '1.2 GB'],
    [formatMemory(640_400_000), '640 MB'],
    [formatMemory(52_300), '52 kB'],
    [formatPhases(null), ''],
    [formatPhases({ queue: 0, forward: 0, backward: 0, optimizer: 0 }), ''],
    [
      formatPhases({ queue: 0.05, forward: 0.21, backward: 0.3, optimizer: 0.02 }),
      'forward 0.21 s · backward 0.30 s · optimizer 0.02 s · waited 0.05 s'
    ],
    [formatDuration(75), '1:15'],
    [formatDuration(3700), '1:01:40']
  ])('%s', (shown, expected) => {
    expect(shown).toBe(expected);
  });

  it('make round ticks within the axis', () => {
    expect(ticks(0.38, 3.6, 5)).toEqual([1, 2, 3]);
    expect(ticks(0, 40, 8)).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40]);
    expect(ticks(0.9, 1.0, 5)).toEqual([0.9, 0.92, 0.94, 0.96, 0.98, 1]);
  });
});

describe('frames', () => {
  it.each([[null], ['x'], [{ type: 'event' }], [{ type: 'event', id: 'x' }], [{ type: 'new' }]])(
    'that are none are null: %j',
    value => {
      expect(parseFrame(value)).toBeNull();
    }
  );

  it('an error body without an error still says something', () => {
    const nothing = { code: 'internal_error', message: 'The service gave no reason.', hint: '' };
    expect(parseErrorBody('<html>')).toEqual(nothing);
  });
});
