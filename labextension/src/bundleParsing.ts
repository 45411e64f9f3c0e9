/** The MIME type's content, from a notebook that anyone may have written, as wire.ts's types. */

import { isFields, isRunState, list, number, parseMetrics, parsePhases, text } from './fields';
import type { Mark, MarkKind, Point, RunBundle, RunsBundle, Snapshot, SnapshotCurves, SnapshotProbe } from './wire';

function parsePoint(value: unknown): Point | null {
  const pair = list(value);
  const step = number(pair[0]);
  const loss = number(pair[1]);
  return step === null || loss === null ? null : [step, loss];
}

function parsePoints(value: unknown): Point[] {
  return list(value)
    .map(parsePoint)
    .filter((point): point is Point => point !== null)
    .sort((a, b) => a[0] - b[0]);
}

function parseHistory(value: unknown): (readonly [number, string])[] {
  return list(value).flatMap(item => {
    const [step, answer] = list(item);
    return typeof step === 'number' && typeof answer === 'string' ? [[step, answer] as const] : [];
  });
}

function isMarkKind(value: unknown): value is MarkKind {
  return value === 'steered' || value === 'command' || value === 'interrupted';
}

function parseMarks(value: unknown): Mark[] {
  return list(value).flatMap(item => {
    const fields = isFields(item) ? item : {};
    const step = number(fields['step']);
    const kind = fields['kind'];
    return step === null || !isMarkKind(kind)
      ? []
      : [{ step, kind, label: text(fields['label']), text: text(fields['text']) }];
  });
}

function parseSnapshotProbe(value: unknown): SnapshotProbe | null {
  const index = isFields(value) ? number(value['index']) : null;
  if (!isFields(value) || index === null) {
    return null;
  }
  const before = value['before'];
  const history = parseHistory(value['history']);
  const probe = {
    index,
    prompt: text(value['prompt']),
    step: number(value['step']) ?? 0,
    answer: text(value['answer']),
    ...(history.length > 0 ? { history } : {})
  };
  return isFields(before)
    ? { ...probe, before: { step: number(before['step']) ?? 0, answer: text(before['answer']) } }
    : probe;
}

/** Absent in what an older version saved. */
function parseCurves(value: unknown): SnapshotCurves {
  const fields = isFields(value) ? value : {};
  return {
    learning_rate: parsePoints(fields['learning_rate']),
    tokens_per_second: parsePoints(fields['tokens_per_second']),
    grad_norm: parsePoints(fields['grad_norm'])
  };
}

function parseSnapshot(value: unknown): Snapshot | null {
  if (!isFields(value) || !isRunState(value['state'])) {
    return null;
  }
  return {
    state: value['state'],
    step: number(value['step']) ?? 0,
    total_steps: number(value['total_steps']) ?? 0,
    reason: text(value['reason']),
    message: text(value['message']),
    last_event_id: number(value['last_event_id']) ?? 0,
    learning_rate: number(value['learning_rate']),
    seconds_per_step: number(value['seconds_per_step']),
    tokens_per_second: number(value['tokens_per_second']),
    grad_norm: number(value['grad_norm']),
    phase_seconds: isFields(value['phase_seconds']) ? parsePhases(value['phase_seconds'], '') : null,
    metrics: parseMetrics(value['metrics']),
    memory_bytes: number(value['memory_bytes']) ?? 0,
    machine_bytes: number(value['machine_bytes']) ?? 0,
    notice: text(value['notice']),
    points: parsePoints(value['points']),
    eval_points: parsePoints(value['eval_points']),
    curves: parseCurves(value['curves']),
    probes: list(value['probes'])
      .map(parseSnapshotProbe)
      .filter((probe): probe is SnapshotProbe => probe !== null),
    marks: parseMarks(value['marks'])
  };
}

/** Read the MIME type's content; null when it names no run. */
export function parseRunBundle(value: unknown): RunBundle | null {
  if (!isFields(value) || text(value['run_id']) === '') {
    return null;
  }
  return {
    run_id: text(value['run_id']),
    adapter: text(value['adapter']),
    snapshot: parseSnapshot(value['snapshot'])
  };
}

/** Read the MIME type's content of several runs; null when it names none. */
export function parseRunsBundle(value: unknown): RunsBundle | null {
  const runs = list(isFields(value) ? value['runs'] : null)
    .map(parseRunBundle)
    .filter((run): run is RunBundle => run !== null);
  return runs.length === 0 ? null : { runs };
}
