/** A sweep and its commands over the kernel's comm, for front ends without the extension. */

import type { Asker } from '../panels/asker';
import type { SweepTransport } from '../panels/sweep/transport';
import { CommandFailedError, isGone } from '../panels/transport';
import { parseSweep, type MemberAction, type SweepAction, type SweepReading } from '../sweepWire';
import type { ActionBody } from '../wire';

const PATIENCE_MS = 15_000;
const NO_KERNEL = 'The kernel does not answer; the runs are safe';

export class CommSweep implements SweepTransport {
  constructor(
    private readonly asker: Asker,
    private readonly sweepId: string
  ) {}

  async read(): Promise<SweepReading> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    try {
      const raw = await this.asker.ask('sweep', { sweep_id: this.sweepId }, undefined, patience.signal);
      const sweep = parseSweep(raw);
      return sweep === null ? { type: 'waiting', message: NO_KERNEL } : { type: 'sweep', sweep, raw };
    } catch (error) {
      return error instanceof CommandFailedError && isGone(error) ? { type: 'unavailable', error: error.reason } : { type: 'waiting', message: NO_KERNEL };
    } finally {
      clearTimeout(timer);
    }
  }

  async command(action: SweepAction, body: ActionBody): Promise<void> {
    await this.asker.ask('sweep-command', { sweep_id: this.sweepId, action, body });
  }

  async steer(runId: string, action: MemberAction): Promise<void> {
    await this.asker.ask('run-command', { run_id: runId, action });
  }
}
