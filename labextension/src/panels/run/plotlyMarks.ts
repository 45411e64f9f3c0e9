/** Marks of a run as plotly's shapes and annotations. */

import type { Mark } from '../../wire';
import { escapeHtml } from './escape';

const MAX_DRAWN_MARKS = 60;
/** Of the run that is shown: nearer ones have a small arrow in place of a label. */
const LABEL_SHARE = 0.18;

const LINE = { type: 'line', xref: 'x', yref: 'paper', y0: 0, y1: 1 } as const;

export function markShapes(marks: readonly Mark[], colour: string) {
  return marks.slice(-MAX_DRAWN_MARKS).map(mark => ({
    ...LINE,
    x0: mark.step,
    x1: mark.step,
    layer: 'below',
    opacity: mark.kind === 'steered' ? 0.8 : 0.3,
    line: { color: colour, width: mark.kind === 'interrupted' ? 7 : 1, dash: mark.kind === 'command' ? 'dot' : 'solid' }
  }));
}

export function selectionShape(step: number, colour: string) {
  return { ...LINE, x0: step, x1: step, line: { color: colour, width: 1.5, dash: 'dash' } };
}

export function markNotes(marks: readonly Mark[], colour: string, lastStep = 0) {
  let free = -Infinity;
  return marks.slice(-MAX_DRAWN_MARKS).map(mark => {
    const isLabelled = mark.kind !== 'command' && mark.step >= free;
    free = isLabelled ? mark.step + LABEL_SHARE * lastStep : free;
    return {
      x: mark.step,
      y: 1,
      xref: 'x',
      yref: 'paper',
      yanchor: 'top',
      xanchor: mark.step > 0.8 * lastStep && lastStep > 0 ? 'right' : 'left',
      showarrow: false,
      text: isLabelled ? escapeHtml(mark.label) : '▾',
      hovertext: escapeHtml(`step ${mark.step}: ${mark.text}`),
      captureevents: true,
      font: { color: colour, size: 11 }
    };
  });
}
