/** Numbers and states as people read them. */

import type { PhaseSeconds, RunState } from '../wire';

export const NOTHING = '–';

export const STATE_WORDS: Readonly<Record<RunState, string>> = {
  queued: 'Queued',
  running: 'Running',
  paused: 'Paused',
  interrupted: 'Interrupted',
  finished: 'Finished',
  stopped: 'Stopped',
  failed: 'Failed'
};

export function formatLoss(loss: number | null | undefined): string {
  if (loss === null || loss === undefined) {
    return NOTHING;
  }
  return loss !== 0 && Math.abs(loss) < 0.001 ? loss.toExponential(1) : loss.toFixed(3);
}

/** `0.0003` → `3e-4`, `0.00025` → `2.5e-4`, `0.02` → `0.02`. */
export function formatLearningRate(rate: number | null): string {
  if (rate === null) {
    return NOTHING;
  }
  if (rate === 0 || rate >= 0.01) {
    return String(Number(rate.toPrecision(3)));
  }
  return String(Number(rate.toExponential(2).split('e')[0])) + 'e' + exponent(rate);
}

function exponent(value: number): string {
  return String(Number(value.toExponential(2).split('e')[1]));
}

export function formatRate(perSecond: number | null): string {
  if (perSecond === null) {
    return NOTHING;
  }
  return perSecond < 10 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}

/** Thousands apart by a narrow space, in every locale alike. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `75` → `1:15`, `3700` → `1:01:40`. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null) {
    return NOTHING;
  }
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** `1200000000` → `1.2 GB`; what is small is not nothing. */
export function formatMemory(bytes: number): string {
  if (bytes < 1e6) {
    return `${Math.round(bytes / 1e3)} kB`;
  }
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** Where the newest step's time went; empty where nothing is known. */
export function formatPhases(phases: PhaseSeconds | null): string {
  if (phases === null || Object.values(phases).every(seconds => seconds === 0)) {
    return '';
  }
  return [
    `forward ${phases.forward.toFixed(2)} s`,
    `backward ${phases.backward.toFixed(2)} s`,
    `optimizer ${phases.optimizer.toFixed(2)} s`,
    `waited ${phases.queue.toFixed(2)} s`
  ].join(' · ');
}

export function formatProgress(step: number, totalSteps: number): string {
  return totalSteps > 0
    ? `step ${formatCount(step)} of ${formatCount(totalSteps)}`
    : `step ${formatCount(step)}`;
}

/** The last part of a folder's or hub's name: `org/model` → `model`. */
export function shortModelName(name: string): string {
  return name.split('/').filter(part => part !== '').at(-1) ?? name;
}
