/** Marks of a run as plotly's shapes and annotations. */

import type { Mark } from '../../wire';
import { escapeHtml } from '../escape';
import type { PlotColours } from '../chart/chart';

const MAX_DRAWN_MARKS = 60;
/** What a character of a label takes of the steps that are shown, about; and a row in pixels. */
const CHAR_SHARE = 0.009;
const ROW_PIXELS = 13;

const LINE = { type: 'line', xref: 'x', yref: 'paper', y0: 0, y1: 1 } as const;

const LINES = {
  steered: (colours: Pick<PlotColours, 'muted'>) => ({ color: colours.muted, width: 1, dash: 'solid' }),
  command: (colours: Pick<PlotColours, 'muted'>) => ({ color: colours.muted, width: 1, dash: 'dot' }),
  interrupted: (colours: Pick<PlotColours, 'eval'>) => ({ color: colours.eval, width: 7, dash: 'solid' })
} as const;

export function markShapes(marks: readonly Mark[], colours: Pick<PlotColours, 'muted' | 'eval'>) {
  return marks.slice(-MAX_DRAWN_MARKS).map(mark => ({
    ...LINE,
    x0: mark.step,
    x1: mark.step,
    layer: 'below',
    opacity: mark.kind === 'steered' ? 0.8 : 0.3,
    line: LINES[mark.kind](colours)
  }));
}

export function selectionShape(step: number, colour: string) {
  return { ...LINE, x0: step, x1: step, line: { color: colour, width: 1.5, dash: 'dash' } };
}

/** Labels in two rows; where there is no room, and for commands, an arrow at the foot of the line. */
export function markNotes(marks: readonly Mark[], colour: string, lastStep = 0) {
  const ends = [-Infinity, -Infinity];
  return marks.slice(-MAX_DRAWN_MARKS).map(mark => {
    const row = mark.kind === 'command' ? -1 : ends.findIndex(end => end <= mark.step);
    const isLabelled = row !== -1;
    if (isLabelled) {
      ends[row] = mark.step + CHAR_SHARE * (mark.label.length + 2) * lastStep;
    }
    const isLate = lastStep > 0 && mark.step > 0.8 * lastStep;
    const side = isLate ? 'right' : 'left';
    return {
      x: mark.step,
      y: isLabelled ? 1 : 0,
      yshift: isLabelled ? -ROW_PIXELS * row : 0,
      xref: 'x',
      yref: 'paper',
      yanchor: isLabelled ? 'top' : 'bottom',
      xanchor: isLabelled ? side : 'center',
      showarrow: false,
      text: isLabelled ? escapeHtml(mark.label) : '▴',
      hovertext: escapeHtml(`step ${mark.step}: ${mark.text}`),
      captureevents: true,
      font: { color: colour, size: 11 }
    };
  });
}
