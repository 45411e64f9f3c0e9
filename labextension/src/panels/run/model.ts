/**
 * What the panel of a run shows, and how frames change it: pure, no DOM, no clock. Events are
 * applied in order of id and never twice; a step has one point, whatever arrives.
 */

import type {
  CommandName,
  Frame,
  Mark,
  Metrics,
  PhaseSeconds,
  Point,
  RunEvent,
  RunState,
  StateEvent,
  StepEvent,
  SteeredEvent
} from '../../wire';
import { insertAnswer, type ProbeView } from './answers';
import { appendPart, endWriting, type Writing } from './writing';
import { addMark, interruptionMark, steeredMark, type Interruption } from './marks';
import { median } from './median';

/** `saved`: a stored picture, nothing is coming. `ended`: the log is complete. */
export type Connection = 'waiting' | 'live' | 'saved' | 'ended';

interface Timing {
  readonly seconds: number;
  readonly numTokens: number;
}

export interface RunView {
  readonly runId: string;
  readonly adapter: string;
  readonly state: RunState;
  readonly reason: string;
  readonly step: number;
  /** 0 until the rows were counted. */
  readonly totalSteps: number;
  /** What is under way before or between steps; empty while steps go on. */
  readonly message: string;
  readonly fraction: number | null;
  readonly learningRate: number | null;
  readonly secondsPerStep: number | null;
  readonly tokensPerSecond: number | null;
  readonly gradNorm: number | null;
  /** Of the newest step. */
  readonly phases: PhaseSeconds | null;
  /** Of the newest step: what the loss says beside itself. */
  readonly metrics: Metrics;
  /** Estimate of the trainer's peak; 0 where there is none. */
  readonly memoryBytes: number;
  readonly machineBytes: number;
  /** The newest thing that a person should know of. */
  readonly notice: string;
  /** One a step, by step. */
  readonly points: readonly Point[];
  readonly evalPoints: readonly Point[];
  readonly learningRates: readonly Point[];
  readonly speeds: readonly Point[];
  readonly gradNorms: readonly Point[];
  /** Steps of which the log says that there are checkpoints, ascending. */
  readonly checkpoints: readonly number[];
  readonly probes: readonly ProbeView[];
  /** Answers that are being written at this moment. */
  readonly writing: readonly Writing[];
  /** What happened along the way, by step. */
  readonly marks: readonly Mark[];
  /** Since when the run is interrupted, and why; null while it is not. */
  readonly interruption: Interruption | null;
  /** A command that the log has and the state does not show yet. */
  readonly wanted: CommandName | null;
  readonly lastEventId: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly timings: readonly Timing[];
}

const NUM_TIMINGS = 15;

/** The view of a run of which nothing is known yet. */
export function emptyView(runId: string, adapter: string): RunView {
  return {
    runId,
    adapter,
    state: 'queued',
    reason: '',
    step: 0,
    totalSteps: 0,
    message: '',
    fraction: null,
    learningRate: null,
    secondsPerStep: null,
    tokensPerSecond: null,
    gradNorm: null,
    phases: null,
    metrics: {},
    memoryBytes: 0,
    machineBytes: 0,
    notice: '',
    points: [],
    evalPoints: [],
    learningRates: [],
    speeds: [],
    gradNorms: [],
    checkpoints: [],
    probes: [],
    writing: [],
    marks: [],
    interruption: null,
    wanted: null,
    lastEventId: 0,
    startedAt: '',
    endedAt: '',
    timings: []
  };
}

/** The step whose held-out loss is the lowest; null before the first. */
export function bestOf(evalPoints: readonly Point[]): Point | null {
  return evalPoints.reduce<Point | null>((best, point) => (best === null || point[1] < best[1] ? point : best), null);
}

export function isOver(state: RunState): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}

/** At most `max` of the points, evenly over them; the first and the last stay. */
export function thin<T>(points: readonly T[], max: number): readonly T[] {
  if (points.length <= max) {
    return points;
  }
  const stride = (points.length - 1) / (max - 1);
  return Array.from({ length: max }, (_, i) => points[Math.round(i * stride)]).filter(
    (point): point is T & {} => point !== undefined
  );
}

/** Seconds until the last step at the present pace; null where that says nothing. */
export function secondsLeft(view: RunView): number | null {
  if (view.state !== 'running' || view.secondsPerStep === null || view.totalSteps === 0) {
    return null;
  }
  return Math.max(0, view.totalSteps - view.step) * view.secondsPerStep;
}

/** Seconds from the first entry of the log to the terminal one; null before that. */
export function secondsTaken(view: RunView): number | null {
  const taken = (Date.parse(view.endedAt) - Date.parse(view.startedAt)) / 1000;
  return Number.isFinite(taken) && taken >= 0 ? taken : null;
}

/** The view after frames, in their order. Cost is one copy of the points, however many frames. */
export function applyFrames(view: RunView, frames: readonly Frame[]): RunView {
  const draft: Draft = {
    ...view,
    points: [...view.points],
    evalPoints: [...view.evalPoints],
    learningRates: [...view.learningRates],
    speeds: [...view.speeds],
    gradNorms: [...view.gradNorms],
    checkpoints: [...view.checkpoints],
    probes: [...view.probes],
    writing: [...view.writing],
    marks: [...view.marks],
    timings: [...view.timings]
  };
  for (const frame of frames) {
    if (frame.type === 'event' && frame.id > draft.lastEventId) {
      draft.lastEventId = frame.id;
      draft.startedAt = draft.startedAt || frame.event.at;
      applyEvent(draft, frame.event);
    }
  }
  draft.timings = draft.timings.slice(-NUM_TIMINGS);
  if (draft.timings.length > 0) {
    draft.secondsPerStep = median(draft.timings.map(timing => timing.seconds));
    draft.tokensPerSecond = median(draft.timings.map(t => t.numTokens / t.seconds));
  }
  return draft;
}

type Draft = { -readonly [Key in keyof RunView]: RunView[Key] } & {
  points: Point[];
  evalPoints: Point[];
  learningRates: Point[];
  speeds: Point[];
  gradNorms: Point[];
  checkpoints: number[];
  probes: ProbeView[];
  writing: Writing[];
  marks: Mark[];
  timings: Timing[];
};

function applyEvent(draft: Draft, event: RunEvent): void {
  switch (event.kind) {
    case 'state':
      applyState(draft, event);
      break;
    case 'progress':
      draft.message = event.message;
      draft.fraction = event.fraction;
      break;
    case 'planned':
      draft.totalSteps = event.totalSteps;
      draft.memoryBytes = event.memoryBytes;
      draft.machineBytes = event.machineBytes;
      break;
    case 'step':
      applyStep(draft, event);
      break;
    case 'eval':
      insertPoint(draft.evalPoints, [event.step, event.loss]);
      break;
    case 'probe':
      insertAnswer(draft.probes, event);
      draft.writing = endWriting(draft.writing, event.index);
      break;
    case 'probe_part':
      draft.writing = appendPart(draft.writing, event);
      break;
    case 'command':
      draft.wanted = event.command;
      addMark(draft.marks, { step: event.step, kind: 'command', label: event.command, text: event.command });
      break;
    case 'steered':
      applySteered(draft, event);
      break;
    default:
      applyRare(draft, event);
  }
}

function applyRare(draft: Draft, event: RunEvent): void {
  if (event.kind === 'notice') {
    draft.notice = event.message;
  } else if (event.kind === 'checkpoint') {
    draft.checkpoints = [...new Set([...draft.checkpoints, event.step])].sort((a, b) => a - b);
  }
}

function applySteered(draft: Draft, event: SteeredEvent): void {
  addMark(draft.marks, steeredMark(event));
  if (event.refusal === '' && event.totalSteps > 0) {
    draft.totalSteps = event.totalSteps;
  }
}

function applyState(draft: Draft, event: StateEvent): void {
  if (event.state === 'interrupted') {
    draft.interruption ??= { at: event.at, step: event.step, reason: event.reason };
  } else if (draft.interruption !== null && event.state !== 'queued') {
    addMark(draft.marks, interruptionMark(draft.interruption, event));
    draft.interruption = null;
  }
  draft.state = event.state;
  if (event.state !== 'running') {
    draft.writing = [];
  }
  draft.reason = event.reason;
  draft.step = Math.max(draft.step, event.step);
  draft.wanted = null;
  draft.endedAt = isOver(event.state) ? event.at : '';
  if (event.state !== 'queued' && event.state !== 'running') {
    draft.message = '';
    draft.fraction = null;
  }
}

function applyStep(draft: Draft, event: StepEvent): void {
  draft.message = '';
  draft.fraction = null;
  draft.step = Math.max(draft.step, event.step);
  draft.learningRate = event.learningRate;
  draft.gradNorm = event.gradNorm;
  draft.phases = event.phases;
  draft.metrics = event.metrics;
  insertPoint(draft.points, [event.step, event.loss]);
  insertPoint(draft.learningRates, [event.step, event.learningRate]);
  if (event.gradNorm !== null) {
    insertPoint(draft.gradNorms, [event.step, event.gradNorm]);
  }
  if (event.seconds > 0) {
    draft.timings.push({ seconds: event.seconds, numTokens: event.numTokens });
    insertPoint(draft.speeds, [event.step, event.numTokens / event.seconds]);
  }
}

/** Put a point at its place by step; the newer one of two with the same step stays. */
function insertPoint(points: Point[], point: Point): void {
  let place = points.length;
  while (place > 0 && (points[place - 1]?.[0] ?? 0) >= point[0]) {
    place -= 1;
  }
  const isThere = points[place]?.[0] === point[0];
  points.splice(place, isThere ? 1 : 0, point);
}
