/**
 * What the service says about a sweep, as types and from JSON. The fields are those of
 * docs/reference/native-api.md; what is malformed becomes a neutral value, never an exception.
 */

import { isFields, isRunState, list, number, text, type Fields } from './fields';
import type { Point, RunState, WireError } from './wire';

export const SWEEP_MIME_TYPE = 'application/vnd.twinkle.sweep+json';

export interface SweepMember {
  readonly runId: string;
  readonly adapter: string;
  /** Where it differs from the others. */
  readonly settings: Fields;
  readonly state: RunState;
  readonly step: number;
  /** 0 while it is not known. */
  readonly totalSteps: number;
  readonly loss: number | null;
  readonly evalLoss: number | null;
  /** At the present pace; null where that is not known. */
  readonly secondsPerStep: number | null;
  /** 1 is the best. */
  readonly rank: number;
  readonly prunedBy: 'hand' | 'halving' | '';
  readonly points: readonly Point[];
  readonly evalPoints: readonly Point[];
}

export interface Sweep {
  readonly sweepId: string;
  readonly name: string;
  readonly state: RunState;
  /** In the order of the grid. */
  readonly members: readonly SweepMember[];
  /** Names of the settings that have several values. */
  readonly varied: readonly string[];
  /** Adapter that is ahead, or that the sweep's name stands for; empty while there is none. */
  readonly best: string;
}

/** The content of `application/vnd.twinkle.sweep+json`. */
export interface SweepBundle {
  readonly sweepId: string;
  readonly name: string;
  readonly sweep: Sweep | null;
}

export type SweepAction = 'stop' | 'prune' | 'extend';

/** Of one member. */
export type MemberAction = 'pause' | 'resume';

/** What came of asking for a sweep; `raw` is the answer as it came, for the notebook. */
export type SweepReading =
  | { readonly type: 'sweep'; readonly sweep: Sweep; readonly raw: unknown }
  /** The way there is interrupted; it may come back. */
  | { readonly type: 'waiting'; readonly message: string }
  /** There is no such sweep, or nobody to ask. */
  | { readonly type: 'unavailable'; readonly error: WireError };

/** Read the service's `SweepBody`; null when it is none. */
export function parseSweep(value: unknown): Sweep | null {
  if (!isFields(value) || text(value['sweep_id']) === '' || !isRunState(value['state'])) {
    return null;
  }
  const grid = value['grid'];
  return {
    sweepId: text(value['sweep_id']),
    name: text(value['name']),
    state: value['state'],
    members: list(value['members']).flatMap(item => {
      const member = parseMember(item);
      return member === null ? [] : [member];
    }),
    varied: isFields(grid) ? Object.keys(grid) : [],
    best: text(value['best'])
  };
}

/** Read the MIME type's content, from a notebook that anyone may have written; null: no sweep. */
export function parseSweepBundle(value: unknown): SweepBundle | null {
  if (!isFields(value) || text(value['sweep_id']) === '') {
    return null;
  }
  const sweep = parseSweep(value['sweep']);
  return { sweepId: text(value['sweep_id']), name: text(value['name']), sweep };
}

function parseMember(value: unknown): SweepMember | null {
  if (!isFields(value) || !isRunState(value['state'])) {
    return null;
  }
  const settings = value['settings'];
  const prunedBy = value['pruned_by'];
  return {
    runId: text(value['run_id']),
    adapter: text(value['adapter']),
    settings: isFields(settings) ? settings : {},
    state: value['state'],
    step: number(value['step']) ?? 0,
    totalSteps: number(value['total_steps']) ?? 0,
    loss: number(value['loss']),
    evalLoss: number(value['eval_loss']),
    secondsPerStep: number(value['seconds_per_step']),
    rank: number(value['rank']) ?? 0,
    prunedBy: prunedBy === 'hand' || prunedBy === 'halving' ? prunedBy : '',
    points: parsePoints(value['points']),
    evalPoints: parsePoints(value['eval_points'])
  };
}

function parsePoints(value: unknown): Point[] {
  return list(value).flatMap(item => {
    const [step, loss] = list(item).map(number);
    return typeof step === 'number' && typeof loss === 'number' ? [[step, loss] as const] : [];
  });
}
