/**
 * How a panel hears of its run and steers it, whatever carries the frames: the server extension's
 * websocket or the kernel's comm. A panel knows only this.
 */

import type { ActionBody, ActionName, Frame, RunFacts, WireError } from '../wire';

export interface Disposable {
  dispose(): void;
}

/** What the transport itself knows of the way to the service. */
export type Notice =
  | Frame
  /** Nothing will come: no server extension, or the service does not know the run. */
  | { readonly type: 'unavailable'; readonly message: string };

export interface Transport {
  /**
   * Deliver every event with an id above `after`, then new ones, reconnecting by itself and going
   * on after the last id delivered, until disposed or told that the log has ended.
   */
  subscribe(after: number, onNotice: (notice: Notice) => void): Disposable;

  /**
   * Steer the run. Resolves once the service has taken the command; rejects with a
   * `CommandFailedError` otherwise.
   */
  command(name: ActionName, body?: ActionBody): Promise<void>;

  /** What the service says of the run besides its log; null where it cannot be asked. */
  facts(): Promise<RunFacts | null>;
}

/** Whether asking again is of no use: what was asked for is not there, or nobody who could know. */
export function isGone(error: unknown): boolean {
  return error instanceof CommandFailedError && error.reason.code === 'not_found';
}

const PASSING_CODES: readonly string[] = ['service_unavailable', 'starting', 'maintenance', 'quota_exceeded'];

/** Whether asking again may help: the service or the way to it is away for a while, or has too much to do. */
export function isPassing(error: unknown): error is CommandFailedError {
  return error instanceof CommandFailedError && PASSING_CODES.includes(error.reason.code);
}

/** A command that was not taken: one sentence for the person who clicked. */
export class CommandFailedError extends Error {
  constructor(readonly reason: WireError) {
    super([reason.message, reason.hint].filter(part => part !== '').join(' '));
    this.name = 'CommandFailedError';
  }
}
