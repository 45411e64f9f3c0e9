/**
 * The only place where JSON from outside becomes one of wire.ts's types. What is malformed becomes
 * null or a neutral value, never an exception: a panel outlives a newer service.
 */

import {
  RUN_STATES,
  type CommandName,
  type Frame,
  type PhaseSeconds,
  type Point,
  type RunBundle,
  type RunEvent,
  type RunState,
  type Snapshot,
  type SnapshotProbe,
  type WireError
} from './wire';

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRunState(value: unknown): value is RunState {
  return RUN_STATES.some(state => state === value);
}

function isCommandName(value: unknown): value is CommandName {
  return value === 'pause' || value === 'resume' || value === 'stop';
}

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

function parsePhases(fields: Fields, suffix: string): PhaseSeconds {
  const seconds = (phase: string) => number(fields[phase + suffix]) ?? 0;
  return {
    queue: seconds('queue'),
    forward: seconds('forward'),
    backward: seconds('backward'),
    optimizer: seconds('optimizer')
  };
}

function parseSnapshotProbe(value: unknown): SnapshotProbe | null {
  const index = isFields(value) ? number(value['index']) : null;
  if (!isFields(value) || index === null) {
    return null;
  }
  const before = value['before'];
  const probe = {
    index,
    prompt: text(value['prompt']),
    step: number(value['step']) ?? 0,
    answer: text(value['answer'])
  };
  return isFields(before)
    ? { ...probe, before: { step: number(before['step']) ?? 0, answer: text(before['answer']) } }
    : probe;
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
    memory_bytes: number(value['memory_bytes']) ?? 0,
    notice: text(value['notice']),
    points: parsePoints(value['points']),
    eval_points: parsePoints(value['eval_points']),
    probes: list(value['probes'])
      .map(parseSnapshotProbe)
      .filter((probe): probe is SnapshotProbe => probe !== null)
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

/** Read an error body; what is missing becomes a sentence that still says something. */
export function parseWireError(value: unknown): WireError {
  const fields = isFields(value) ? value : {};
  return {
    code: text(fields['code']) || 'internal_error',
    message: text(fields['message']) || 'The service gave no reason.',
    hint: text(fields['hint'])
  };
}

function parseStep(fields: Fields, at: string): RunEvent | null {
  const step = number(fields['step']);
  const loss = number(fields['loss']);
  if (step === null || loss === null) {
    return null;
  }
  if (fields['kind'] === 'eval') {
    return { kind: 'eval', at, step, loss };
  }
  return {
    kind: 'step',
    at,
    step,
    loss,
    learningRate: number(fields['learning_rate']) ?? 0,
    numTokens: number(fields['num_tokens']) ?? 0,
    seconds: number(fields['seconds']) ?? 0,
    gradNorm: number(fields['grad_norm']),
    phases: parsePhases(fields, '_seconds')
  };
}

function parseProbe(fields: Fields, at: string): RunEvent | null {
  const index = number(fields['index']);
  if (index === null) {
    return null;
  }
  return {
    kind: 'probe',
    at,
    step: number(fields['step']) ?? 0,
    index,
    prompt: text(fields['prompt']),
    answer: text(fields['answer'])
  };
}

function parseState(fields: Fields, at: string): RunEvent | null {
  const state = fields['state'];
  if (!isRunState(state)) {
    return null;
  }
  return { kind: 'state', at, state, step: number(fields['step']) ?? 0, reason: text(fields['reason']) };
}

function parsePlanned(fields: Fields, at: string): RunEvent {
  const totalSteps = number(fields['total_steps']) ?? 0;
  return { kind: 'planned', at, totalSteps, memoryBytes: number(fields['memory_bytes']) ?? 0 };
}

function parseCommand(fields: Fields, at: string): RunEvent | null {
  const command = fields['command'];
  const step = number(fields['step']) ?? 0;
  return isCommandName(command) ? { kind: 'command', at, command, step } : null;
}

function parseKnown(fields: Fields, at: string): RunEvent | null {
  switch (fields['kind']) {
    case 'state':
      return parseState(fields, at);
    case 'step':
    case 'eval':
      return parseStep(fields, at);
    case 'probe':
      return parseProbe(fields, at);
    case 'planned':
      return parsePlanned(fields, at);
    case 'notice':
      return { kind: 'notice', at, step: number(fields['step']) ?? 0, message: text(fields['message']) };
    case 'progress':
      return {
        kind: 'progress',
        at,
        message: text(fields['message']),
        fraction: number(fields['fraction'])
      };
    case 'command':
      return parseCommand(fields, at);
    default:
      return null;
  }
}

/** Read an entry of a run's log. */
export function parseEvent(value: unknown): RunEvent {
  const fields = isFields(value) ? value : {};
  const at = text(fields['at']);
  return parseKnown(fields, at) ?? { kind: 'other', at };
}

/** Read a frame of the websocket or the comm; null when it is none. */
export function parseFrame(value: unknown): Frame | null {
  if (!isFields(value)) {
    return null;
  }
  switch (value['type']) {
    case 'event': {
      const id = number(value['id']);
      return id === null ? null : { type: 'event', id, event: parseEvent(value['event']) };
    }
    case 'connection':
      return {
        type: 'connection',
        state: value['state'] === 'live' ? 'live' : 'waiting',
        message: text(value['message'])
      };
    case 'end':
      return { type: 'end' };
    case 'error':
      return { type: 'error', error: parseWireError(value['error']) };
    default:
      return null;
  }
}

export interface CommandResult {
  readonly command: string;
  readonly error: WireError | null;
}

/** Read the kernel's answer to a command; null when the message is something else. */
export function parseCommandResult(value: unknown): CommandResult | null {
  if (!isFields(value) || value['type'] !== 'command-result') {
    return null;
  }
  const error = value['error'];
  return {
    command: text(value['command']),
    error: error === null || error === undefined ? null : parseWireError(error)
  };
}

/** Read an error response's body, `{"error": {…}}`. */
export function parseErrorBody(value: unknown): WireError {
  return parseWireError(isFields(value) ? value['error'] : null);
}
