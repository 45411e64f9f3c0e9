/** The last picture of several runs for front ends that do not run our code: static HTML, a line. */

import type { RunsBundle } from '../../wire';
import { chartSvg } from '../chart/chartSvg';
import { escapeHtml } from '../escape';
import { formatLoss } from '../format';
import { CELL, NEUTRAL, SIZE } from '../run/picture';
import { thin, type RunView } from '../run/model';
import { snapshotOf } from '../run/snapshots';
import { lookOf } from '../sweep/looks';
import { runsChart } from './curves';
import { HEADINGS, runCells } from './table';

/** Points of all curves together, so that a saved notebook stays small. */
const MAX_POINTS = 1600;

/** What the notebook keeps of them. */
export function runsBundleOf(views: readonly RunView[]): RunsBundle {
  return { runs: views.map(view => ({ run_id: view.runId, adapter: view.adapter, snapshot: snapshotOf(small(view, views.length)) })) };
}

/** The picture as `text/html`. */
export function runsHtml(views: readonly RunView[]): string {
  const shown = views.map(view => small(view, views.length));
  const head = HEADINGS.map(name => `<th scope="col" ${CELL}>${name}</th>`).join('');
  const rows = views.map((view, place) => {
    const mark = `<span style="color:${lookOf(place).colour}" aria-hidden="true">●</span> `;
    const cells = runCells(view).map(text => `<td ${CELL}>${escapeHtml(text)}</td>`).join('');
    return `<tr><td ${CELL}>${mark}${escapeHtml(view.adapter)}</td>${cells}</tr>`;
  });
  return (
    `<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:${SIZE.width}px">` +
    `${chartSvg(runsChart(shown), NEUTRAL, SIZE)}<table style="border-collapse:collapse"><thead><tr>${head}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

/** The picture as `text/plain`. */
export function runsText(views: readonly RunView[]): string {
  return views.map(view => `${view.adapter}: ${view.state}, step ${view.step}, loss ${formatLoss(view.points.at(-1)?.[1])}`).join('\n');
}

function small(view: RunView, numRuns: number): RunView {
  const max = Math.max(20, Math.floor(MAX_POINTS / numRuns));
  return {
    ...view,
    points: thin(view.points, max),
    evalPoints: thin(view.evalPoints, Math.floor(max / 2)),
    learningRates: [],
    speeds: [],
    gradNorms: [],
    probes: [],
    marks: []
  };
}
