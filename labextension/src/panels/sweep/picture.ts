/** The last picture of a sweep for front ends that do not run our code: static HTML, and a line. */

import type { Sweep } from '../../sweepWire';
import { chartSvg } from '../chart/chartSvg';
import { escapeHtml } from '../escape';
import { NEUTRAL, SIZE } from '../run/picture';
import { cells, headings, sweepLine } from './cells';
import { sweepChart } from './chart';
import { looksOf } from './looks';

const CELL = 'style="text-align:left;padding:2px 16px 2px 0"';

/** The picture as `text/html`. */
export function sweepHtml(sweep: Sweep): string {
  const looks = looksOf(sweep);
  const head = headings(sweep).map(name => `<th scope="col" ${CELL}>${escapeHtml(name)}</th>`);
  const rows = [...sweep.members]
    .sort((a, b) => a.rank - b.rank)
    .map(one => {
      const mark = `<span style="color:${looks.get(one.runId)?.colour ?? ''}" aria-hidden="true">●</span> `;
      const drawn = cells(sweep, one).map((text, i) => `<td ${CELL}>${i === 1 ? mark : ''}${escapeHtml(text)}</td>`);
      return `<tr>${drawn.join('')}</tr>`;
    });
  return (
    `<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:${SIZE.width}px">` +
    `<p style="margin:4px 0"><b>${escapeHtml(sweep.name)}</b> ${escapeHtml(sweepLine(sweep))}</p>` +
    chartSvg(sweepChart(sweep), NEUTRAL, SIZE) +
    `<table style="border-collapse:collapse"><thead><tr>${head.join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

/** The picture as `text/plain`. */
export function sweepText(sweep: Sweep): string {
  return `${sweep.name}: ${sweep.state}, ${sweepLine(sweep)}`;
}
