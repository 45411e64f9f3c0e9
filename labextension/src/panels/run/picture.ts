/**
 * The last picture of a run for front ends that do not run our code: static HTML with an inline
 * SVG and a small table, in colours that are readable on light and dark. Everything that people or
 * models wrote is escaped and cut, so that it stays under 20 kB.
 */

import { escapeHtml } from '../escape';
import { formatLearningRate, formatLoss, formatProgress, formatRate, STATE_WORDS } from '../format';
import type { PlotColours } from '../chart/chart';
import { chartSvg } from '../chart/chartSvg';
import { lossChart, type LossData } from './lossChart';
import { markNotes, markShapes } from './plotlyMarks';
import type { ProbeView } from './answers';
import { thin, type RunView } from './model';

const MAX_POINTS = 250;
const MAX_EVAL_POINTS = 50;
const MAX_PROBES = 6;
const MAX_MARKS = 12;
const MAX_PROMPT_CHARS = 160;
const MAX_ANSWER_CHARS = 240;
export const SIZE = { width: 720, height: 240 };

export const NEUTRAL: PlotColours = {
  train: '#3f83d6',
  eval: '#d9822b',
  text: 'currentColor',
  muted: 'currentColor',
  grid: 'rgba(128,128,128,0.25)',
  background: 'transparent'
};

export const CELL = 'style="text-align:left;padding:2px 16px 2px 0;vertical-align:top"';

/** The picture as `text/html`. */
export function pictureHtml(view: RunView): string {
  const data: LossData = {
    points: thin(view.points, MAX_POINTS),
    evalPoints: thin(view.evalPoints, MAX_EVAL_POINTS),
    totalSteps: view.totalSteps,
    marks: view.marks.slice(-MAX_MARKS)
  };
  const values: readonly (readonly [string, string])[] = [
    ['Train loss', formatLoss(view.points.at(-1)?.[1])],
    ['Held-out loss', formatLoss(view.evalPoints.at(-1)?.[1])],
    ['Learning rate', formatLearningRate(view.learningRate)],
    ['Tokens/s', formatRate(view.tokensPerSecond)]
  ];
  const head = values.map(([name]) => `<th scope="col" ${CELL}>${name}</th>`).join('');
  const row = values.map(([, value]) => `<td ${CELL}>${value}</td>`).join('');
  return (
    `<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:${SIZE.width}px">` +
    `<p style="margin:4px 0"><b>${escapeHtml(view.adapter)}</b> ${escapeHtml(pictureLine(view))}</p>` +
    chartSvg(lossChart(data, NEUTRAL), NEUTRAL, SIZE) +
    `<table style="border-collapse:collapse"><thead><tr>${head}</tr></thead>` +
    `<tbody><tr>${row}</tr></tbody></table>${probeTable(view.probes)}</div>`
  );
}

/** The picture as `text/plain`. */
export function pictureText(view: RunView): string {
  const loss = view.points.at(-1)?.[1];
  const said = loss === undefined ? '' : `, loss ${formatLoss(loss)}`;
  return `${view.adapter} (${view.runId}): ${pictureLine(view)}${said}`;
}

/** The picture as a plotly figure, for those who had one from the kernel. */
export function pictureFigure(view: RunView) {
  const points = thin(view.points, MAX_POINTS);
  const evalPoints = thin(view.evalPoints, MAX_EVAL_POINTS);
  const marks = view.marks.slice(-MAX_MARKS);
  return {
    data: [
      { type: 'scatter', name: 'train', x: points.map(p => p[0]), y: points.map(p => p[1]) },
      { type: 'scatter', name: 'held-out', x: evalPoints.map(p => p[0]), y: evalPoints.map(p => p[1]) }
    ],
    layout: {
      xaxis: { title: { text: 'step' } },
      yaxis: { title: { text: 'loss' } },
      shapes: markShapes(marks, { muted: 'gray', eval: NEUTRAL.eval }),
      annotations: markNotes(marks, 'gray', view.step)
    }
  };
}

function pictureLine(view: RunView): string {
  const line = `${STATE_WORDS[view.state].toLowerCase()}, ${formatProgress(view.step, view.totalSteps)}`;
  return view.reason === '' ? line : `${line}: ${view.reason}`;
}

function probeTable(probes: readonly ProbeView[]): string {
  if (probes.length === 0) {
    return '';
  }
  const rows = probes.slice(0, MAX_PROBES).map(probe => {
    const before = probe.before === null ? '' : cut(probe.before.answer, MAX_ANSWER_CHARS);
    const newest = cut(probe.newest.answer, MAX_ANSWER_CHARS);
    return (
      `<tr><td ${CELL}>${escapeHtml(cut(probe.prompt, MAX_PROMPT_CHARS))}</td>` +
      `<td ${CELL}>${escapeHtml(before)}</td>` +
      `<td ${CELL}>${escapeHtml(newest)} (step ${probe.newest.step})</td></tr>`
    );
  });
  const names = ['Prompt', 'Before', 'Newest answer'];
  const head = names.map(name => `<th scope="col" ${CELL}>${name}</th>`).join('');
  return (
    `<table style="border-collapse:collapse;margin-top:6px"><thead><tr>${head}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table>`
  );
}

function cut(text: string, max: number): string {
  const chars = Array.from(text);
  return chars.length <= max ? text : `${chars.slice(0, max).join('')}…`;
}
