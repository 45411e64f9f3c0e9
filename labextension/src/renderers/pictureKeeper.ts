/**
 * Keeps the newest picture of a run in the notebook's own output, so that a saved notebook shows
 * it with neither kernel nor service. It is written when the notebook is saved (every page for
 * itself), when the run ends, and while the page is hidden (one page only: see pageLease). Writing
 * more often would leave the notebook changed for as long as a run lasts, and closing the page
 * would ask each time.
 */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { pictureFigure, pictureHtml, pictureText } from '../panels/run/picture';
import { isOver, type RunView } from '../panels/run/model';
import { snapshotOf } from '../panels/run/snapshots';
import { parseRunBundle } from '../bundleParsing';
import { RUN_MIME_TYPE } from '../wire';
import { acquireLease } from './pageLease';

const PLOTLY_MIME_TYPE = 'application/vnd.plotly.v1+json';
/** Needs a live kernel; without one, front ends show an error instead of the picture. */
const WIDGET_MIME_TYPE = 'application/vnd.jupyter.widget-view+json';
const HIDDEN_WRITE_MS = 60_000;

const keepers = new Set<PictureKeeper>();

/** Write the newest pictures into a notebook that is about to be saved. */
export function keepPicturesOf(path: string): void {
  for (const keeper of keepers) {
    if (keeper.path === path) {
      keeper.write();
    }
  }
}

export class PictureKeeper {
  private model: IRenderMime.IMimeModel | null = null;
  private readonly lease: ReturnType<typeof acquireLease>;
  private readonly timer: ReturnType<typeof setInterval>;

  /**
   * @param getPath The notebook's path, which a renaming changes.
   * @param getView What the service says; null while there is only the stored picture.
   */
  constructor(
    private readonly getPath: () => string,
    private readonly getView: () => RunView | null
  ) {
    this.lease = acquireLease(getPath());
    this.timer = setInterval(this.writeIfHidden, HIDDEN_WRITE_MS);
    document.addEventListener('visibilitychange', this.writeIfHidden);
    keepers.add(this);
  }

  get path(): string {
    return this.getPath();
  }

  /** The output that the picture belongs into. */
  attach(model: IRenderMime.IMimeModel): void {
    this.model = model;
  }

  onChange(view: RunView): void {
    if (isOver(view.state) && this.lease.isHeld) {
      this.write();
    }
  }

  /** Write the picture unless the output has it, or a newer one, already. */
  write(): void {
    const view = this.getView();
    const data = this.model?.data;
    if (view === null || data === undefined || !isNewer(view, data[RUN_MIME_TYPE])) {
      return;
    }
    const picture: Record<string, unknown> = {
      ...data,
      [RUN_MIME_TYPE]: { run_id: view.runId, adapter: view.adapter, snapshot: snapshotOf(view) },
      'text/html': pictureHtml(view),
      'text/plain': pictureText(view)
    };
    Reflect.deleteProperty(picture, WIDGET_MIME_TYPE);
    if (PLOTLY_MIME_TYPE in data) {
      picture[PLOTLY_MIME_TYPE] = pictureFigure(view);
    }
    this.model?.setData({ data: picture as ReadonlyPartialJSONObject });
  }

  dispose(): void {
    keepers.delete(this);
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.writeIfHidden);
    this.lease.dispose();
  }

  private readonly writeIfHidden = (): void => {
    if (document.visibilityState === 'hidden' && this.lease.isHeld) {
      this.write();
    }
  };
}

function isNewer(view: RunView, stored: unknown): boolean {
  const snapshot = parseRunBundle(stored)?.snapshot ?? null;
  return snapshot === null || view.lastEventId > snapshot.last_event_id;
}
