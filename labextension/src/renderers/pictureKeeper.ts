/**
 * Keeps the newest picture of a panel in the notebook's own output, so that a saved notebook shows
 * it with neither kernel nor service. It is written when the notebook is saved (every page for
 * itself), at its last change (of a chat, at each answer), and while the page is hidden (one page
 * only: see pageLease). Writing more often would leave the notebook changed for as long as a run
 * lasts, and closing the page would ask each time.
 */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { acquireLease } from './pageLease';

export const PLOTLY_MIME_TYPE = 'application/vnd.plotly.v1+json';
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
   * @param pictureBeyond The picture by MIME type, undefined for what is to go; null where the
   *   output that it is given has this one, or a newer one.
   */
  constructor(
    private readonly getPath: () => string,
    private readonly pictureBeyond: (
      stored: Readonly<Record<string, unknown>>
    ) => Record<string, unknown> | null
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

  /** Write unless another page looks after the notebook. */
  writeIfLeased(): void {
    if (this.lease.isHeld) {
      this.write();
    }
  }

  /** Write the picture unless the output has it, or a newer one, already. */
  write(): void {
    const data = this.model?.data;
    const newer = data === undefined ? null : this.pictureBeyond(data);
    if (newer === null) {
      return;
    }
    const entries = Object.entries({ ...data, ...newer });
    const kept = entries.filter(([mime, value]) => mime !== WIDGET_MIME_TYPE && value !== undefined);
    this.model?.setData({ data: Object.fromEntries(kept) as ReadonlyPartialJSONObject });
  }

  dispose(): void {
    keepers.delete(this);
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.writeIfHidden);
    this.lease.dispose();
  }

  private readonly writeIfHidden = (): void => {
    if (document.visibilityState === 'hidden') {
      this.writeIfLeased();
    }
  };
}
