/** What happened along a run, as marks for the plot: steering, commands, interruptions. */

import type { Changes, Mark, SteeredEvent } from '../../wire';
import { formatLearningRate } from '../format';

export interface Interruption {
  readonly at: string;
  readonly step: number;
  readonly reason: string;
}

const MAX_MARKS = 500;
const MAX_LABEL_CHARS = 28;
const MAX_TEXT_CHARS = 400;

const SHORT_NAMES: Readonly<Record<string, string>> = { learning_rate: 'lr', batch_size: 'batch' };

/** Add a mark; it joins one of its kind at the same step. */
export function addMark(marks: Mark[], mark: Mark): void {
  const place = marks.findIndex(known => known.step === mark.step && known.kind === mark.kind);
  const known = marks[place];
  const joined = known === undefined ? mark : { ...mark, label: join(known.label, mark.label), text: join(known.text, mark.text, '; ') };
  marks.splice(place === -1 ? marks.length : place, place === -1 ? 0 : 1, {
    ...joined,
    label: cut(joined.label, MAX_LABEL_CHARS),
    text: cut(joined.text, MAX_TEXT_CHARS)
  });
  if (marks.length > MAX_MARKS) {
    marks.shift();
  }
}

export function steeredMark(event: SteeredEvent): Mark {
  const all = Object.entries(event.changes).map(([name, value]) => `${name} = ${told(name, value)}`);
  const change = all.join(', ');
  return event.refusal === ''
    ? { step: event.step, kind: 'steered', label: shortChanges(event.changes), text: change }
    : { step: event.step, kind: 'steered', label: 'refused', text: `${change}: ${event.refusal}` };
}

/** `lr 3e-4, steps 80`. */
export function shortChanges(changes: Changes): string {
  return Object.entries(changes)
    .map(([name, value]) => `${SHORT_NAMES[name] ?? name.replaceAll('_', ' ')} ${told(name, value)}`)
    .join(', ');
}

export function interruptionMark(from: Interruption, until: { readonly at: string }): Mark {
  const seconds = (Date.parse(until.at) - Date.parse(from.at)) / 1000;
  const label = Number.isFinite(seconds) ? `interrupted ${formatGap(Math.max(0, seconds))}` : 'interrupted';
  return { step: from.step, kind: 'interrupted', label, text: from.reason === '' ? label : `${label}: ${from.reason}` };
}

/** `0.4 s`, `4 s`, `2 min`, `1.5 h`. */
function formatGap(seconds: number): string {
  if (seconds < 90) {
    return `${seconds < 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  }
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function told(name: string, value: unknown): string {
  if (typeof value === 'number') {
    return name === 'learning_rate' ? formatLearningRate(value) : String(value);
  }
  if (Array.isArray(value)) {
    return `${value.length} ${value.length === 1 ? 'entry' : 'entries'}`;
  }
  return typeof value === 'string' ? value : 'none';
}

function join(known: string, added: string, between = ', '): string {
  return known === added ? known : `${known}${between}${added}`;
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
