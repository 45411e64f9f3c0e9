import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Chart, PlotColours, PlotHost } from '../panels/chart/chart';
import { createUplotPlot } from '../panels/chart/uplotPlot';

interface Options {
  readonly cursor: { readonly bind: { dblclick(plot: Library): () => void } };
  readonly hooks: { readonly ready: ((plot: Library) => void)[]; readonly setSelect: ((plot: Library) => void)[] };
}

/** uPlot as the plot uses it: a pixel is a step. */
class Library {
  static newest: Library | null = null;
  readonly over = new EventTarget();
  select = { left: 0, width: 0 };
  range: unknown = null;

  constructor(readonly options: Options) {
    Library.newest = this;
    options.hooks.ready.forEach(tell => tell(this));
  }

  posToVal(pixel: number): number {
    return pixel;
  }

  setSelect(): void {
    this.select = { left: 0, width: 0 };
  }

  setScale(_: string, range: unknown): void {
    this.range = range;
  }

  drag(left: number, width: number): void {
    this.select = { left, width };
    this.options.hooks.setSelect.forEach(tell => tell(this));
  }

  click(at: number, detail = 1): void {
    const event = Object.assign(new Event('click'), { offsetX: at, clientX: at, detail });
    this.over.dispatchEvent(Object.assign(new Event('mousedown'), { clientX: at }));
    this.over.dispatchEvent(event);
  }

  doubleClick(at: number): void {
    this.click(at);
    this.click(at, 2);
    this.options.cursor.bind.dblclick(this)();
  }

  destroy(): void {
    Library.newest = null;
  }
}

vi.mock('uplot', () => ({ default: Library }));

const CHART: Chart = { label: '', curves: [], marks: [], best: null, selected: null, last: 100, isLog: false };

describe('a click on the plot', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function plot() {
    const picked: number[] = [];
    const made = await createUplotPlot({ clientWidth: 100, clientHeight: 50 } as PlotHost, { onPick: step => picked.push(step), onHover: () => undefined });
    made.draw(CHART, {} as PlotColours);
    const library = Library.newest;
    if (library === null) {
      throw new Error('nothing was drawn');
    }
    return { made, picked, library };
  }

  it('picks a step at once, and one that turns out to be the first of two picks none where that zooms out', async () => {
    const { picked, library } = await plot();
    library.click(30);
    library.click(30, 2);
    expect(picked).toEqual([30]);

    library.drag(10, 50);
    expect(library.range).toEqual({ min: 10, max: 60 });
    library.doubleClick(40);
    await vi.advanceTimersByTimeAsync(1000);
    expect([picked, library.range]).toEqual([[30], { min: 0, max: 100 }]);
  });

  it('picks in a zoomed plot, too, unless that is gone', async () => {
    const { made, picked, library } = await plot();
    library.drag(10, 50);
    library.click(40);
    await vi.advanceTimersByTimeAsync(1000);
    expect(picked).toEqual([40]);
    library.click(50);
    made.dispose();
    await vi.advanceTimersByTimeAsync(1000);
    expect(picked).toEqual([40]);
  });
});
