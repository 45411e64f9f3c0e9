/** The runs below their plot: which curve is whose, and how far each has come. */

import { element, setText } from '../dom';
import { formatDuration, formatLoss, formatProgress, formatRate, STATE_WORDS } from '../format';
import { secondsLeft, type RunView } from '../run/model';
import { curveTick } from '../swatch';
import { lookOf } from '../sweep/looks';

export const HEADINGS = ['Run', 'State', 'Step', 'Train loss', 'Held-out', 'Tokens/s', 'Left'];

/** A run's cells but for the first. */
export function runCells(view: RunView): string[] {
  return [
    STATE_WORDS[view.state],
    formatProgress(view.step, view.totalSteps).replace('step ', ''),
    formatLoss(view.points.at(-1)?.[1]),
    formatLoss(view.evalPoints.at(-1)?.[1]),
    formatRate(view.tokensPerSecond),
    formatDuration(secondsLeft(view))
  ];
}

interface Row {
  readonly node: HTMLTableRowElement;
  readonly isShown: HTMLInputElement;
  readonly cells: readonly HTMLElement[];
}

export class RunsTable {
  readonly node: HTMLElement;
  private readonly rows: readonly Row[];

  constructor(
    private readonly views: readonly RunView[],
    onToggle: () => void,
    onPoint: (runId: string | null) => void
  ) {
    this.rows = views.map((view, place) => row(view, place));
    for (const [place, one] of this.rows.entries()) {
      const runId = views[place]?.runId ?? null;
      one.isShown.onchange = onToggle;
      one.node.onmouseenter = () => onPoint(runId);
      one.node.onmouseleave = () => onPoint(null);
    }
    const head = element('tr', '', {}, ...HEADINGS.map(name => element('th', '', { scope: 'col' }, name)));
    const body = element('tbody', '', {}, ...this.rows.map(one => one.node));
    const table = element('table', 'jp-twinkle-ranking', {}, element('thead', '', {}, head), body);
    this.node = element('div', 'jp-twinkle-ranking-frame', { tabindex: '0', role: 'group', 'aria-label': 'Runs' }, table);
  }

  /** Ids of the runs whose curves are not wanted. */
  get hidden(): ReadonlySet<string> {
    return new Set(this.views.filter((_, place) => this.rows[place]?.isShown.checked === false).map(view => view.runId));
  }

  show(views: readonly RunView[]): void {
    for (const [place, view] of views.entries()) {
      runCells(view).forEach((text, i) => {
        const cell = this.rows[place]?.cells[i];
        if (cell !== undefined) {
          setText(cell, text);
        }
      });
    }
  }
}

function row(view: RunView, place: number): Row {
  const { node: name, tick: isShown } = curveTick(view.adapter || view.runId, view.runId, lookOf(place));
  const cells = runCells(view).map(text => element('td', '', {}, text));
  return { node: element('tr', '', {}, element('td', '', {}, name), ...cells), isShown, cells };
}
