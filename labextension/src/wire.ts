/**
 * What the service, the server extension and the kernel say about a run, as types. The fields are
 * those of docs/reference/native-api.md; parsing.ts makes them from JSON.
 */

import type { Schemas } from './schemas';

export const RUN_MIME_TYPE = 'application/vnd.twinkle.run+json';

export const RUNS_MIME_TYPE = 'application/vnd.twinkle.runs+json';

export const RUN_STATES = [
  'queued',
  'running',
  'paused',
  'interrupted',
  'finished',
  'stopped',
  'failed'
] as const satisfies readonly RunState[];

export type RunState = Schemas['RunBody']['state'];

export type CommandName = 'pause' | 'resume' | 'stop';

/** What a panel can ask for: the log has the first three as `command`, changes as `steered`. */
export type ActionName = CommandName | 'set' | 'checkpoint' | 'fork';

/** An action's body, as the service's route takes it. */
export type ActionBody = Readonly<Record<string, unknown>>;

export type Changes = Readonly<Record<string, unknown>>;

export interface StateEvent {
  readonly kind: 'state';
  readonly at: string;
  readonly state: RunState;
  readonly step: number;
  readonly reason: string;
}

export interface ProgressEvent {
  readonly kind: 'progress';
  readonly at: string;
  readonly message: string;
  /** 0 to 1, null where it is not known. */
  readonly fraction: number | null;
}

export interface PlannedEvent {
  readonly kind: 'planned';
  readonly at: string;
  readonly totalSteps: number;
  /** Estimate of the trainer's peak; 0 where there is none. */
  readonly memoryBytes: number;
  /** What the trainer's machine has; 0 where it is not told. */
  readonly machineBytes: number;
}

/** Where the time of a step went, in seconds. */
export interface PhaseSeconds {
  readonly queue: number;
  readonly forward: number;
  readonly backward: number;
  readonly optimizer: number;
}

/** What a person should know of, and the run went on after. */
export interface NoticeEvent {
  readonly kind: 'notice';
  readonly at: string;
  readonly step: number;
  readonly message: string;
}

export type Metrics = Readonly<Record<string, number>>;

export interface StepEvent {
  readonly kind: 'step';
  readonly at: string;
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly numTokens: number;
  /** Wall time since the step before, a pause included. */
  readonly seconds: number;
  readonly gradNorm: number | null;
  readonly phases: PhaseSeconds;
  /** What the loss says beside itself, as in `accuracy` of dpo. */
  readonly metrics: Metrics;
}

export interface EvalEvent {
  readonly kind: 'eval';
  readonly at: string;
  readonly step: number;
  readonly loss: number;
}

export interface ProbeEvent {
  readonly kind: 'probe';
  readonly at: string;
  /** 0 is the base model. */
  readonly step: number;
  readonly index: number;
  readonly prompt: string;
  readonly answer: string;
}

/** What came new of an answer that is being written. */
export interface ProbePartEvent {
  readonly kind: 'probe_part';
  readonly at: string;
  readonly step: number;
  readonly index: number;
  readonly prompt: string;
  readonly text: string;
}

export interface CommandEvent {
  readonly kind: 'command';
  readonly at: string;
  readonly command: CommandName;
  readonly step: number;
}

/** Settings changed while the run was going on; before the first step that they affect. */
export interface SteeredEvent {
  readonly kind: 'steered';
  readonly at: string;
  readonly step: number;
  readonly changes: Changes;
  /** Of the whole run from here on; 0 where it is not told. */
  readonly totalSteps: number;
  /** Why nothing was changed; else empty. */
  readonly refusal: string;
}

/** The weights of a step were kept. */
export interface CheckpointEvent {
  readonly kind: 'checkpoint';
  readonly at: string;
  readonly step: number;
}

/** A kind that the panel does not show; its id still counts. */
export interface OtherEvent {
  readonly kind: 'other';
  readonly at: string;
}

export type RunEvent =
  | StateEvent
  | ProgressEvent
  | PlannedEvent
  | StepEvent
  | NoticeEvent
  | EvalEvent
  | ProbeEvent
  | ProbePartEvent
  | CommandEvent
  | SteeredEvent
  | CheckpointEvent
  | OtherEvent;

export type WireError = Schemas['ErrorDetail'];

export type Frame =
  | { readonly type: 'event'; readonly id: number; readonly event: RunEvent }
  | { readonly type: 'connection'; readonly state: 'live' | 'waiting'; readonly message: string }
  | { readonly type: 'end' }
  | { readonly type: 'error'; readonly error: WireError };

/** `[step, loss]`. */
export type Point = readonly [step: number, loss: number];

export type MarkKind = 'steered' | 'command' | 'interrupted';

/** Something on the plot that happened before a step; what is of one kind at one step is one. */
export interface Mark {
  readonly step: number;
  readonly kind: MarkKind;
  /** A few characters beside the line. */
  readonly label: string;
  /** Everything, for a tooltip. */
  readonly text: string;
}

export interface SnapshotProbe {
  readonly index: number;
  readonly prompt: string;
  readonly step: number;
  readonly answer: string;
  /** The base model's answer, once there is a newer one. */
  readonly before?: { readonly step: number; readonly answer: string };
  /** `[step, answer]` from the first to the newest, thinned; once there are more than two. */
  readonly history?: readonly (readonly [step: number, answer: string])[];
}

export interface SnapshotCurves {
  readonly learning_rate: readonly Point[];
  readonly tokens_per_second: readonly Point[];
  readonly grad_norm: readonly Point[];
}

export interface Snapshot {
  readonly state: RunState;
  readonly step: number;
  readonly total_steps: number;
  readonly reason: string;
  readonly message: string;
  readonly last_event_id: number;
  readonly learning_rate: number | null;
  readonly seconds_per_step: number | null;
  readonly tokens_per_second: number | null;
  readonly grad_norm: number | null;
  readonly phase_seconds: PhaseSeconds | null;
  readonly metrics: Metrics;
  readonly memory_bytes: number;
  readonly machine_bytes: number;
  readonly notice: string;
  readonly points: readonly Point[];
  readonly eval_points: readonly Point[];
  /** Thinner: what else there is of each step. */
  readonly curves: SnapshotCurves;
  readonly probes: readonly SnapshotProbe[];
  readonly marks: readonly Mark[];
}

/** What the service says of a run besides its log. */
export interface RunFacts {
  /** The run that this one was forked from; empty: none. */
  readonly parentRun: string;
  readonly parentStep: number;
}

/** The content of `application/vnd.twinkle.run+json`. */
export interface RunBundle {
  readonly run_id: string;
  readonly adapter: string;
  readonly snapshot: Snapshot | null;
}

/** The content of `application/vnd.twinkle.runs+json`: several in one plot. */
export interface RunsBundle {
  readonly runs: readonly RunBundle[];
}
