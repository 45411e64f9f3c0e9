import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Plot } from '../panels/chart/chart';
import { LazyPlot, NOT_LOADED, RETRY_MS } from '../panels/chart/lazyPlot';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const made = () => ({ draw: vi.fn(), resize: vi.fn(), dispose: vi.fn() }) satisfies Plot;

describe('a plot that is loaded when it is drawn', () => {
  it('is asked for again after a failure, which is told, and not at each drawing', async () => {
    const plot = made();
    const create = vi.fn<() => Promise<Plot>>().mockRejectedValueOnce(new Error('ChunkLoadError')).mockResolvedValue(plot);
    const told: (string | null)[] = [];
    const lazy = new LazyPlot(create, problem => told.push(problem));
    for (let drawing = 0; drawing < 10; drawing += 1) {
      expect(lazy.get()).toBeNull();
      await vi.advanceTimersByTimeAsync(RETRY_MS / 20);
    }
    expect([create.mock.calls.length, told]).toEqual([1, [NOT_LOADED]]);
    await vi.advanceTimersByTimeAsync(RETRY_MS);
    lazy.get();
    await vi.advanceTimersByTimeAsync(0);

    expect([lazy.get(), create.mock.calls.length, told]).toEqual([plot, 2, [NOT_LOADED, null]]);
  });

  it('goes with its panel, even if it comes later', async () => {
    const plot = made();
    const told = vi.fn();
    const lazy = new LazyPlot(() => Promise.resolve(plot), told);
    lazy.get();
    lazy.dispose();
    await vi.advanceTimersByTimeAsync(0);

    expect([plot.dispose.mock.calls.length, told.mock.calls.length]).toEqual([1, 0]);
  });
});
