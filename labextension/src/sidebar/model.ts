/**
 * What the sidebar knows, and how a frame of the server extension's `overview` socket changes it.
 * What is malformed becomes a neutral value: a page outlives a newer server.
 */

import { isFields, isRunState, list, number, text, type Fields } from '../fields';
import { isOver } from '../panels/run/model';
import type { Schemas } from '../schemas';
import type { RunState } from '../wire';

export type Run = Schemas['RunSummaryBody'];
export type Adapter = Schemas['AdapterBody'];
export type BaseModel = Schemas['LoadedModelBody'];
export type Limit = Schemas['LimitBody'];
export type Phase = Schemas['ServiceBody']['phase'];

/** How the way to the Jupyter server is. */
export type Link = 'connecting' | 'live' | 'lost' | 'no-extension';

export interface Overview {
  readonly link: Link;
  readonly phase: Phase;
  readonly message: string;
  /** Whether this Jupyter server may start and stop the service. */
  readonly canStart: boolean;
  /** Whether the service takes this Jupyter server for an admin's. */
  readonly isAdmin: boolean;
  /** The service has answered; what follows is its newest answer, maybe from before it went away. */
  readonly isKnown: boolean;
  /** It is answering now, so that there is something to ask it for. */
  readonly isLive: boolean;
  readonly runs: readonly Run[];
  readonly numOlderRuns: number;
  readonly numQueued: number;
  readonly adapters: readonly Adapter[];
  readonly baseModels: readonly BaseModel[];
  readonly limits: readonly Limit[];
  /** What an admin tells everybody, and that the service rests; empty for nothing. */
  readonly notices: readonly string[];
}

export const NOTHING_KNOWN: Overview = {
  link: 'connecting',
  phase: 'starting',
  message: '',
  canStart: false,
  isAdmin: false,
  isKnown: false,
  isLive: false,
  runs: [],
  numOlderRuns: 0,
  numQueued: 0,
  adapters: [],
  baseModels: [],
  limits: [],
  notices: []
};

const PHASES: readonly Phase[] = ['stopped', 'starting', 'ready', 'failed'];

/** The overview after a frame; the same one for what is no frame. */
export function applyFrame(known: Overview, frame: unknown): Overview {
  if (!isFields(frame) || frame['type'] !== 'overview') {
    return known;
  }
  const service = isFields(frame['service']) ? frame['service'] : {};
  const isLive = Array.isArray(frame['runs']);
  const rest = isFields(frame['rest']) ? parseRest(frame['rest']) : {};
  return {
    ...known,
    link: 'live',
    phase: PHASES.find(phase => phase === service['phase']) ?? 'starting',
    message: text(service['message']),
    canStart: frame['can_start'] === true,
    isAdmin: frame['is_admin'] === true,
    isKnown: known.isKnown || isLive,
    isLive,
    ...(isLive ? { runs: mergeRuns(known.runs, frame) } : {}),
    ...rest
  };
}

/** The overview while there is no way to the Jupyter server. */
export function withoutLink(known: Overview, link: Link): Overview {
  return { ...known, link, isLive: false };
}

/** Those that are not over first, in the order that the service has them. */
export function inOrder(runs: readonly Run[]): readonly Run[] {
  return [...runs.filter(run => !isOver(run.state)), ...runs.filter(run => isOver(run.state))];
}

/** What the state is to become; a click shows at once that it was taken. */
export function pendingWord(run: Run): string {
  if (isOver(run.state)) {
    return '';
  }
  if (run.wanted === 'stopped') {
    return 'Stopping…';
  }
  if (run.wanted === 'paused' && run.state === 'running') {
    return 'Pausing…';
  }
  return run.wanted === 'running' && run.state === 'paused' ? 'Resuming…' : '';
}

/** Seconds that are left; null where nobody knows. */
export function secondsLeft(run: Run): number | null {
  const each = run.seconds_per_step ?? null;
  return run.state === 'running' && each !== null && run.total_steps > 0 && run.step > 0
    ? Math.max(0, run.total_steps - run.step) * each
    : null;
}

function mergeRuns(known: readonly Run[], frame: Fields): readonly Run[] {
  const byId = new Map(known.map(run => [run.run_id, run]));
  for (const run of list(frame['runs']).map(parseRun)) {
    if (run !== null) {
      byId.set(run.run_id, run);
    }
  }
  const order = Array.isArray(frame['order']) ? list(frame['order']).map(text) : known.map(run => run.run_id);
  return order.map(id => byId.get(id)).filter(run => run !== undefined);
}

function parseRun(value: unknown): Run | null {
  if (!isFields(value) || text(value['run_id']) === '' || !isRunState(value['state'])) {
    return null;
  }
  const state: RunState = value['state'];
  const wanted = value['wanted'];
  return {
    run_id: text(value['run_id']),
    adapter: text(value['adapter']),
    base_model: text(value['base_model']),
    rank: number(value['rank']) ?? 0,
    state,
    wanted: wanted === 'paused' || wanted === 'stopped' ? wanted : 'running',
    reason: text(value['reason']),
    step: number(value['step']) ?? 0,
    total_steps: number(value['total_steps']) ?? 0,
    loss: number(value['loss']),
    checkpoint: text(value['checkpoint']),
    parent_run: text(value['parent_run']),
    parent_step: number(value['parent_step']) ?? 0,
    created_at: text(value['created_at']),
    updated_at: text(value['updated_at']),
    seconds_per_step: number(value['seconds_per_step']),
    points: list(value['points']).flatMap(parsePoint)
  };
}

function parsePoint(value: unknown): [number, number][] {
  const [step, loss] = list(value).map(number);
  return typeof step === 'number' && typeof loss === 'number' ? [[step, loss]] : [];
}

function parseRest(rest: Fields): Partial<Overview> {
  return {
    numOlderRuns: number(rest['num_older_runs']) ?? 0,
    numQueued: number(rest['num_queued_runs']) ?? 0,
    adapters: list(rest['adapters']).filter(isAdapter),
    baseModels: list(rest['base_models']).filter(isBaseModel),
    limits: list(rest['limits']).filter(isLimit),
    notices: [rest['maintenance'], rest['broadcast']].map(sentenceOf).filter(sentence => sentence !== '')
  };
}

function sentenceOf(notice: unknown): string {
  return isFields(notice) ? text(notice['message']) : '';
}

function isAdapter(value: unknown): value is Adapter {
  return isFields(value) && text(value['name']) !== '' && typeof value['step'] === 'number';
}

function isBaseModel(value: unknown): value is BaseModel {
  return isFields(value) && text(value['name']) !== '' && typeof value['num_slots'] === 'number';
}

function isLimit(value: unknown): value is Limit {
  return isFields(value) && text(value['name']) !== '' && typeof value['limit'] === 'number';
}
