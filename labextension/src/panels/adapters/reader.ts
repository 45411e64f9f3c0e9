/**
 * Asks for the adapters again and again while somebody looks. One refusal ends nothing: a service
 * that is busy or being restarted comes back.
 */

import { parseAdapterLines, type AdapterLine } from '../../adaptersWire';
import type { Asker } from '../asker';
import { isGone, type Disposable } from '../transport';

export const REFRESH_MS = 5000;

/** What was found, or why nothing was. */
export type AdaptersReading = readonly AdapterLine[] | Error;

export class AdaptersReader implements Disposable {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isVisible = true;
  private isDisposed = false;
  private isGone = false;

  constructor(
    private readonly asker: Asker,
    private readonly onRead: (reading: AdaptersReading) => void,
    private readonly isPageHidden: () => boolean
  ) {}

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
  }

  async read(): Promise<void> {
    clearTimeout(this.timer);
    let reading: AdaptersReading;
    try {
      reading = parseAdapterLines(await this.asker.ask('list-adapters', {}));
      this.isGone = false;
    } catch (error) {
      reading = error instanceof Error ? error : new Error(String(error));
      this.isGone = isGone(error);
    }
    if (!this.isDisposed) {
      this.onRead(reading);
      this.schedule();
    }
  }

  /** Whoever sees it again sees what there is now. */
  see(isVisible: boolean): void {
    const comesBack = isVisible && !this.isVisible;
    this.isVisible = isVisible;
    if (comesBack && !this.isGone) {
      void this.read();
    }
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (!this.isDisposed && this.isVisible && !this.isGone) {
      this.timer = setTimeout(() => {
        if (this.isPageHidden()) {
          this.schedule();
        } else {
          void this.read();
        }
      }, REFRESH_MS);
    }
  }
}
