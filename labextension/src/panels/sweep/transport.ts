/** How a sweep's panel hears of its sweep and cuts it. A panel knows only this. */

import type { MemberAction, SweepAction, SweepReading } from '../../sweepWire';
import type { ActionBody } from '../../wire';

export interface SweepTransport {
  /** Ask for the sweep with its curves; never rejects. */
  read(): Promise<SweepReading>;

  /** Resolves once the service has taken it; rejects with a `CommandFailedError` otherwise. */
  command(action: SweepAction, body: ActionBody): Promise<void>;

  /** The same, of one member. */
  steer(runId: string, action: MemberAction): Promise<void>;
}
