/** Readers of single values in JSON from outside: null or a neutral value for what is malformed. */

import { RUN_STATES, type PhaseSeconds, type RunState } from './wire';

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function isRunState(value: unknown): value is RunState {
  return RUN_STATES.some(state => state === value);
}

/** Numbers by name; what is none is left out. */
export function parseMetrics(value: unknown): Readonly<Record<string, number>> {
  const entries = Object.entries(isFields(value) ? value : {});
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => number(entry[1]) !== null));
}

export function parsePhases(fields: Fields, suffix: string): PhaseSeconds {
  const seconds = (phase: string) => number(fields[phase + suffix]) ?? 0;
  return {
    queue: seconds('queue'),
    forward: seconds('forward'),
    backward: seconds('backward'),
    optimizer: seconds('optimizer')
  };
}
