/**
 * A plot whose drawing library may come later, or fail to come: a page that was opened before an
 * update, or a lost connection. It is asked for again when there is something to draw, after a while.
 */

import type { Plot } from './chart';

export const RETRY_MS = 5000;
export const NOT_LOADED = 'The plot could not be loaded; reload the page';

export class LazyPlot {
  private plot: Plot | null = null;
  private isAsked = false;
  private isDisposed = false;
  private failedAt = -Infinity;

  /** `onSettled` is told that the plot is there, or why there is none. */
  constructor(
    private readonly create: () => Promise<Plot>,
    private readonly onSettled: (problem: string | null) => void
  ) {}

  /** The plot; null while it is not there, and then it is asked for. */
  get(): Plot | null {
    if (this.plot === null && !this.isAsked && Date.now() - this.failedAt >= RETRY_MS) {
      this.isAsked = true;
      void this.ask();
    }
    return this.plot;
  }

  resize(): void {
    this.plot?.resize();
  }

  dispose(): void {
    this.isDisposed = true;
    this.plot?.dispose();
  }

  private async ask(): Promise<void> {
    let problem: string | null = null;
    try {
      this.plot = await this.create();
    } catch {
      problem = NOT_LOADED;
      this.failedAt = Date.now();
    }
    this.isAsked = false;
    if (this.isDisposed) {
      this.plot?.dispose();
    } else {
      this.onSettled(problem);
    }
  }
}
