/** A view as the notebook keeps it, and back: bounded in size, whatever the run was like. */

import type { Point, Snapshot, SnapshotProbe } from '../../wire';
import type { ProbeView } from './answers';
import { emptyView, thin, type RunView } from './model';

const MAX_SNAPSHOT_POINTS = 500;
const MAX_SNAPSHOT_EVALS = 250;
const MAX_SNAPSHOT_CURVE = 120;
/** A picture shows three of them. */
const DIGITS = 5;
const MAX_SNAPSHOT_MARKS = 60;
/** Answers of a probe at most; fewer of all where they are more text than this. */
const MAX_SNAPSHOT_ANSWERS = 40;
const MAX_HISTORY_CHARS = 40_000;

/** The view that a stored snapshot describes. */
export function viewOfSnapshot(runId: string, adapter: string, snapshot: Snapshot): RunView {
  return {
    ...emptyView(runId, adapter),
    state: snapshot.state,
    reason: snapshot.reason,
    step: snapshot.step,
    totalSteps: snapshot.total_steps,
    message: snapshot.message,
    learningRate: snapshot.learning_rate,
    secondsPerStep: snapshot.seconds_per_step,
    tokensPerSecond: snapshot.tokens_per_second,
    gradNorm: snapshot.grad_norm,
    phases: snapshot.phase_seconds,
    metrics: snapshot.metrics,
    memoryBytes: snapshot.memory_bytes,
    machineBytes: snapshot.machine_bytes,
    notice: snapshot.notice,
    points: snapshot.points,
    evalPoints: snapshot.eval_points,
    learningRates: snapshot.curves.learning_rate,
    speeds: snapshot.curves.tokens_per_second,
    gradNorms: snapshot.curves.grad_norm,
    probes: snapshot.probes.map(probeOfSnapshot),
    marks: snapshot.marks,
    lastEventId: snapshot.last_event_id
  };
}

/** The snapshot that a notebook keeps of a view. */
export function snapshotOf(view: RunView): Snapshot {
  return {
    state: view.state,
    step: view.step,
    total_steps: view.totalSteps,
    reason: view.reason,
    message: view.message,
    last_event_id: view.lastEventId,
    learning_rate: view.learningRate,
    seconds_per_step: view.secondsPerStep,
    tokens_per_second: view.tokensPerSecond,
    grad_norm: view.gradNorm,
    phase_seconds: view.phases,
    metrics: view.metrics,
    memory_bytes: view.memoryBytes,
    machine_bytes: view.machineBytes,
    notice: view.notice,
    points: short(view.points, MAX_SNAPSHOT_POINTS),
    eval_points: short(view.evalPoints, MAX_SNAPSHOT_EVALS),
    curves: {
      learning_rate: short(view.learningRates, MAX_SNAPSHOT_CURVE),
      tokens_per_second: short(view.speeds, MAX_SNAPSHOT_CURVE),
      grad_norm: short(view.gradNorms, MAX_SNAPSHOT_CURVE)
    },
    probes: snapshotProbes(view.probes),
    marks: view.marks.slice(-MAX_SNAPSHOT_MARKS)
  };
}

/** So many of the points at most, with so many digits as a picture can show. */
function short(points: readonly Point[], max: number): Point[] {
  return thin(points, max).map(([step, value]) => [step, Number(value.toPrecision(DIGITS))] as const);
}

function probeOfSnapshot(probe: SnapshotProbe): ProbeView {
  const newest = { step: probe.step, answer: probe.answer };
  const before = probe.before ?? null;
  const told = probe.history?.map(([step, answer]) => ({ step, answer }));
  const history = told ?? (before === null ? [newest] : [before, newest]);
  return { index: probe.index, prompt: probe.prompt, newest, before, history };
}

function snapshotProbes(probes: readonly ProbeView[]): SnapshotProbe[] {
  let limit = MAX_SNAPSHOT_ANSWERS;
  while (limit > 2 && historyChars(probes, limit) > MAX_HISTORY_CHARS) {
    limit = Math.floor(limit / 2);
  }
  return probes.map(probe => snapshotProbe(probe, limit));
}

function historyChars(probes: readonly ProbeView[], limit: number): number {
  return probes
    .flatMap(probe => thin(probe.history, limit))
    .reduce((chars, said) => chars + said.answer.length, 0);
}

function snapshotProbe(probe: ProbeView, limit: number): SnapshotProbe {
  const { index, prompt, newest, before } = probe;
  const kept = thin(probe.history, limit).map(said => [said.step, said.answer] as const);
  return {
    index,
    prompt,
    ...newest,
    ...(before === null ? {} : { before }),
    ...(kept.length > 2 && limit > 2 ? { history: kept } : {})
  };
}
