/** One of several runs in one plot: its view, and the frames that wait to be folded into it. */

import type { Frame, RunBundle } from '../../wire';
import { applyFrames, emptyView, type Connection, type RunView } from '../run/model';
import { viewOfSnapshot } from '../run/snapshots';
import type { Disposable, Notice, Transport } from '../transport';

/** In a hidden page timers hardly run: frames are worked off by number there. */
const MAX_PENDING = 1000;

export class RunFeed implements Disposable {
  connection: Connection = 'waiting';
  private readonly picture: RunView;
  private log: RunView;
  private pending: Frame[] = [];
  private readonly subscription: Disposable;

  constructor(
    readonly bundle: RunBundle,
    transport: Transport,
    private readonly onChange: () => void
  ) {
    const { run_id: runId, adapter, snapshot } = bundle;
    this.log = emptyView(runId, adapter);
    this.picture = snapshot === null ? this.log : viewOfSnapshot(runId, adapter, snapshot);
    this.subscription = transport.subscribe(0, notice => this.onNotice(notice));
  }

  /** The log once it has caught up with the stored picture. */
  get view(): RunView {
    this.flush();
    return this.log.lastEventId >= this.picture.lastEventId ? this.log : this.picture;
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private onNotice(notice: Notice): void {
    if (notice.type === 'event') {
      this.pending.push(notice);
      this.connection = 'live';
      if (this.pending.length >= MAX_PENDING) {
        this.flush();
      }
    } else if (notice.type === 'connection') {
      this.connection = notice.state;
    } else {
      this.connection = notice.type === 'end' ? 'ended' : 'saved';
    }
    this.onChange();
  }

  private flush(): void {
    if (this.pending.length > 0) {
      this.log = applyFrames(this.log, this.pending);
      this.pending = [];
    }
  }
}
