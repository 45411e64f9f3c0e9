/**
 * Where JSON of the service becomes one of wire.ts's types. What is malformed becomes null or a
 * neutral value, never an exception: a panel outlives a newer service.
 */

import { isFields, isRunState, number, parseMetrics, parsePhases, text, type Fields } from './fields';
import type { CommandName, Frame, RunEvent, RunFacts, WireError } from './wire';

function isCommandName(value: unknown): value is CommandName {
  return value === 'pause' || value === 'resume' || value === 'stop';
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
    phases: parsePhases(fields, '_seconds'),
    metrics: parseMetrics(fields['metrics'])
  };
}

function parseProbe(fields: Fields, at: string): RunEvent | null {
  const index = number(fields['index']);
  if (index === null) {
    return null;
  }
  const said = { at, step: number(fields['step']) ?? 0, index, prompt: text(fields['prompt']) };
  return fields['kind'] === 'probe'
    ? { kind: 'probe', ...said, answer: text(fields['answer']) }
    : { kind: 'probe_part', ...said, text: text(fields['text']) };
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
  return { kind: 'planned', at, totalSteps, memoryBytes: number(fields['memory_bytes']) ?? 0, machineBytes: number(fields['machine_bytes']) ?? 0 };
}

function parseCommand(fields: Fields, at: string): RunEvent | null {
  const command = fields['command'];
  const step = number(fields['step']) ?? 0;
  return isCommandName(command) ? { kind: 'command', at, command, step } : null;
}

function parseSteered(fields: Fields, at: string): RunEvent | null {
  const step = number(fields['step']);
  const changes = fields['changes'];
  if (step === null || !isFields(changes)) {
    return null;
  }
  const totalSteps = number(fields['total_steps']) ?? 0;
  return { kind: 'steered', at, step, changes, totalSteps, refusal: text(fields['refusal']) };
}

function parseProgress(fields: Fields, at: string): RunEvent {
  return { kind: 'progress', at, message: text(fields['message']), fraction: number(fields['fraction']) };
}

function parseNotice(fields: Fields, at: string): RunEvent {
  return { kind: 'notice', at, step: number(fields['step']) ?? 0, message: text(fields['message']) };
}

function parseCheckpoint(fields: Fields, at: string): RunEvent {
  return { kind: 'checkpoint', at, step: number(fields['step']) ?? 0 };
}

const PARSERS: ReadonlyMap<unknown, (fields: Fields, at: string) => RunEvent | null> = new Map([
  ['state', parseState],
  ['step', parseStep],
  ['eval', parseStep],
  ['probe', parseProbe],
  ['probe_part', parseProbe],
  ['planned', parsePlanned],
  ['notice', parseNotice],
  ['progress', parseProgress],
  ['command', parseCommand],
  ['steered', parseSteered],
  ['checkpoint', parseCheckpoint]
]);

/** Read an entry of a run's log. */
export function parseEvent(value: unknown): RunEvent {
  const fields = isFields(value) ? value : {};
  const at = text(fields['at']);
  return PARSERS.get(fields['kind'])?.(fields, at) ?? { kind: 'other', at };
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

/** Read the service's `Run`; null when it is none. */
export function parseRunFacts(value: unknown): RunFacts | null {
  if (!isFields(value) || text(value['run_id']) === '') {
    return null;
  }
  return { parentRun: text(value['parent_run']), parentStep: number(value['parent_step']) ?? 0 };
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
