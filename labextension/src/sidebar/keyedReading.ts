/** Reads what belongs to a key once, anew when the key changes, and a while after a failure. */

export const RETRY_MS = 5000;

export interface Told<Found> {
  readonly found: (found: Found) => void;
  readonly failed: (message: string) => void;
  /** A while after a failure: `read` asks again now. */
  readonly again: () => void;
}

export class KeyedReading<Found> {
  private key = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly told: Told<Found>) {}

  /** Ask, unless what belongs to this key was asked for last. */
  read(key: string, ask: () => Promise<Found>): void {
    if (key === this.key) {
      return;
    }
    this.forget();
    this.key = key;
    ask().then(
      found => {
        if (this.key === key) {
          this.told.found(found);
        }
      },
      (error: unknown) => {
        if (this.key === key) {
          this.told.failed(error instanceof Error ? error.message : String(error));
          this.timer = setTimeout(() => {
            this.forget();
            this.told.again();
          }, RETRY_MS);
        }
      }
    );
  }

  /** What was read is not true any more, or nobody wants it. */
  forget(): void {
    this.key = '';
    clearTimeout(this.timer);
  }
}
