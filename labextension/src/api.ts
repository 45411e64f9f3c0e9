/** Made by scripts/make_api.mjs; not to be changed by hand. */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * ActBody
         * @description One act.
         */
        readonly ActBody: {
            /** At */
            readonly at: string;
            /** Detail */
            readonly detail: string;
            /** To */
            readonly to: string;
            /** What */
            readonly what: string;
            /** Who */
            readonly who: string;
        };
        /**
         * AdapterBody
         * @description One adapter, as its newest run left it; or one that a Tinker client trains.
         *
         *     That one has no run: `step` and `folder` are those of its newest weights on disk.
         */
        readonly AdapterBody: {
            /** Adapter Id */
            readonly adapter_id: string;
            /** Alpha */
            readonly alpha: number;
            /** Base Model */
            readonly base_model: string;
            readonly details?: components["schemas"]["AdapterDetailsBody"] | null;
            /** Folder */
            readonly folder: string;
            /** Name */
            readonly name: string;
            /**
             * Origin
             * @default run
             * @enum {string}
             */
            readonly origin: "run" | "tinker";
            /** Rank */
            readonly rank: number;
            /** Run Id */
            readonly run_id: string;
            /** State */
            readonly state: ("queued" | "running" | "paused" | "interrupted" | "finished" | "stopped" | "failed") | ("active" | "stored");
            /** Step */
            readonly step: number;
        };
        /**
         * AdapterDetailsBody
         * @description Where an adapter is, what it takes on disk, and whence it came.
         */
        readonly AdapterDetailsBody: {
            /** Expires At */
            readonly expires_at: string;
            /** Num Checkpoints */
            readonly num_checkpoints: number;
            /** Parent */
            readonly parent: string;
            /** Parent Step */
            readonly parent_step: number;
            /**
             * Place
             * @enum {string}
             */
            readonly place: "active" | "resident" | "stored" | "";
            /** Size Bytes */
            readonly size_bytes: number;
            /** Updated At */
            readonly updated_at: string;
        };
        /**
         * AdapterListBody
         * @description All adapters of a user.
         */
        readonly AdapterListBody: {
            /** Adapters */
            readonly adapters: readonly components["schemas"]["AdapterBody"][];
        };
        /**
         * AuditBody
         * @description Acts, newest first.
         */
        readonly AuditBody: {
            /** Acts */
            readonly acts: readonly components["schemas"]["ActBody"][];
        };
        /**
         * BroadcastBody
         * @description A message for everybody, until its time is over.
         */
        readonly BroadcastBody: {
            /** Expires At */
            readonly expires_at: string;
            /**
             * Level
             * @enum {string}
             */
            readonly level: "info" | "warning";
            /** Message */
            readonly message: string;
            /** Sent At */
            readonly sent_at: string;
        };
        /**
         * ChangedLimitsBody
         * @description What was changed for somebody, and not taken back.
         */
        readonly ChangedLimitsBody: {
            /** Changed */
            readonly changed: {
                readonly [key: string]: number;
            };
            /** Name */
            readonly name: string;
            /**
             * Scope
             * @enum {string}
             */
            readonly scope: "default" | "group" | "user";
        };
        /**
         * CheckpointBody
         * @description One of a run's checkpoints.
         */
        readonly CheckpointBody: {
            /** Created At */
            readonly created_at: string;
            /** Expires At */
            readonly expires_at: string;
            /** Folder */
            readonly folder: string;
            /** Is Best */
            readonly is_best: boolean;
            /** Label */
            readonly label: string;
            /** Name */
            readonly name: string;
            /** Size Bytes */
            readonly size_bytes: number;
            /** Step */
            readonly step: number;
        };
        /**
         * CheckpointListBody
         * @description A run's checkpoints, oldest first.
         */
        readonly CheckpointListBody: {
            /** Checkpoints */
            readonly checkpoints: readonly components["schemas"]["CheckpointBody"][];
        };
        /**
         * DrainStateBody
         * @description Whether the service rests, and how far runs have come to rest.
         */
        readonly DrainStateBody: {
            readonly maintenance: components["schemas"]["MaintenanceBody"] | null;
            /** Num Held */
            readonly num_held: number;
            /** Num Running */
            readonly num_running: number;
        };
        /**
         * ErrorBody
         * @description The body of every status of 400 and above.
         */
        readonly ErrorBody: {
            readonly error: components["schemas"]["ErrorDetail"];
        };
        /**
         * ErrorDetail
         * @description What is wrong and what to do about it.
         */
        readonly ErrorDetail: {
            /** Code */
            readonly code: string;
            /**
             * Hint
             * @default
             */
            readonly hint: string;
            /** Message */
            readonly message: string;
        };
        /**
         * ExportBody
         * @description One export, and how far it is.
         */
        readonly ExportBody: {
            /** Adapter */
            readonly adapter: string;
            /** Created At */
            readonly created_at: string;
            /** Export Id */
            readonly export_id: string;
            /** Folder */
            readonly folder: string;
            /**
             * Format
             * @enum {string}
             */
            readonly format: "peft" | "merged" | "gguf";
            /** Fraction */
            readonly fraction: number;
            /** Hint */
            readonly hint: string;
            /** Message */
            readonly message: string;
            /** Run Id */
            readonly run_id: string;
            /** Size Bytes */
            readonly size_bytes: number;
            /**
             * State
             * @enum {string}
             */
            readonly state: "running" | "finished" | "failed" | "cancelled";
            /** Step */
            readonly step: number;
        };
        /**
         * HealthBody
         * @description The service answers.
         */
        readonly HealthBody: {
            /**
             * Status
             * @default ok
             * @constant
             */
            readonly status: "ok";
        };
        readonly JsonValue: unknown;
        /**
         * KeyBody
         * @description A key, known by its id: nobody can use it by what is here.
         */
        readonly KeyBody: {
            /** Created At */
            readonly created_at: string;
            /** Key Id */
            readonly key_id: string;
            /** Label */
            readonly label: string;
        };
        /**
         * KeyListBody
         * @description All keys of one user, oldest first.
         */
        readonly KeyListBody: {
            /** Keys */
            readonly keys: readonly components["schemas"]["KeyBody"][];
        };
        /**
         * LimitBody
         * @description One limit, and how much of it a user has.
         */
        readonly LimitBody: {
            /** Frees In S */
            readonly frees_in_s: number | null;
            /** Limit */
            readonly limit: number;
            /** Name */
            readonly name: string;
            /** Used */
            readonly used: number | null;
        };
        /**
         * LimitListBody
         * @description What the configuration says, and all changes.
         */
        readonly LimitListBody: {
            /** Changed */
            readonly changed: readonly components["schemas"]["ChangedLimitsBody"][];
            /** Configured */
            readonly configured: {
                readonly [key: string]: number;
            };
            /** Configured Groups */
            readonly configured_groups: {
                readonly [key: string]: {
                    readonly [key: string]: number;
                };
            };
            /** Configured Users */
            readonly configured_users: {
                readonly [key: string]: {
                    readonly [key: string]: number;
                };
            };
        };
        /**
         * LoadedModelBody
         * @description One base model, and what its trainer holds.
         */
        readonly LoadedModelBody: {
            /** Computed In */
            readonly computed_in: string;
            /** Memory Bytes */
            readonly memory_bytes: number | null;
            /** Message */
            readonly message: string;
            /** Name */
            readonly name: string;
            /** Num Adapters */
            readonly num_adapters: number | null;
            /** Num Slots */
            readonly num_slots: number;
            /** Phase */
            readonly phase: string;
        };
        /**
         * MadeKeyBody
         * @description A key that was made just now, with the key itself, which is told only here.
         */
        readonly MadeKeyBody: {
            /** Created At */
            readonly created_at: string;
            /** Key */
            readonly key: string;
            /** Key Id */
            readonly key_id: string;
            /** Label */
            readonly label: string;
        };
        /**
         * MaintenanceBody
         * @description The service rests: no new work is taken in, and runs wait at a checkpoint.
         */
        readonly MaintenanceBody: {
            /** Message */
            readonly message: string;
            /** Since */
            readonly since: string;
            /** Until */
            readonly until: string;
        };
        /**
         * ModelUseBody
         * @description What one base model's trainer does.
         */
        readonly ModelUseBody: {
            /** Base Model */
            readonly base_model: string;
            /** Memory Bytes */
            readonly memory_bytes: number;
            /** Num Active Adapters */
            readonly num_active_adapters: number;
            /** Num Adapters */
            readonly num_adapters: number;
            /** Num Slots */
            readonly num_slots: number;
            /** Queued Ops */
            readonly queued_ops: number;
            /** Queued Tokens */
            readonly queued_tokens: number;
            /** Tokens Per Minute */
            readonly tokens_per_minute: number;
        };
        /**
         * NewKeyBody
         * @description A key that is wanted.
         */
        readonly NewKeyBody: {
            /**
             * Label
             * @default
             */
            readonly label: string;
        };
        /**
         * OverviewBody
         * @description Who uses what.
         */
        readonly OverviewBody: {
            /** Base Models */
            readonly base_models: readonly components["schemas"]["ModelUseBody"][];
            readonly broadcast?: components["schemas"]["BroadcastBody"] | null;
            readonly maintenance?: components["schemas"]["MaintenanceBody"] | null;
            /** Runs */
            readonly runs: {
                readonly [key: string]: number;
            };
            /** Users */
            readonly users: readonly components["schemas"]["UserUseBody"][];
        };
        /**
         * RecordedBaseModel
         * @description The base model that was there.
         */
        readonly RecordedBaseModel: {
            /** Name */
            readonly name: string;
            /** Sha256 */
            readonly sha256: string;
            /** Template Sha256 */
            readonly template_sha256: string;
        };
        /**
         * RecordedData
         * @description The rows, which lie beside the record in `records.jsonl`.
         */
        readonly RecordedData: {
            /** Num Rows */
            readonly num_rows: number;
            /** Sha256 */
            readonly sha256: string;
        };
        /**
         * RecordedOutcome
         * @description How the run ended.
         */
        readonly RecordedOutcome: {
            /** Curve Sha256 */
            readonly curve_sha256: string;
            /** Loss */
            readonly loss: number | null;
            /**
             * State
             * @enum {string}
             */
            readonly state: "finished" | "stopped" | "failed";
            /** Step */
            readonly step: number;
        };
        /**
         * RecordedSteering
         * @description A change while the run was going on.
         */
        readonly RecordedSteering: {
            /** Changes */
            readonly changes: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /** Step */
            readonly step: number;
        };
        /**
         * RowFaultBody
         * @description Something that is wrong with the row.
         */
        readonly RowFaultBody: {
            /** Code */
            readonly code: string;
            /** Sentence */
            readonly sentence: string;
            /** Severity */
            readonly severity: string;
            /** Tokens */
            readonly tokens?: readonly [
                number,
                number
            ] | null;
        };
        /**
         * RunBody
         * @description One run.
         */
        readonly RunBody: {
            /** Adapter */
            readonly adapter: string;
            /**
             * Best Checkpoint
             * @default
             */
            readonly best_checkpoint: string;
            /** Best Loss */
            readonly best_loss?: number | null;
            /**
             * Best Step
             * @default 0
             */
            readonly best_step: number;
            /** Checkpoint */
            readonly checkpoint: string;
            /** Checkpoint Folder */
            readonly checkpoint_folder: string;
            /** Config */
            readonly config: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /** Created At */
            readonly created_at: string;
            /**
             * Keep
             * @default last
             * @enum {string}
             */
            readonly keep: "last" | "best";
            /** Last Event Id */
            readonly last_event_id: number;
            /** Loss */
            readonly loss: number | null;
            /**
             * Parent Run
             * @default
             */
            readonly parent_run: string;
            /**
             * Parent Step
             * @default 0
             */
            readonly parent_step: number;
            /** Reason */
            readonly reason: string;
            /** Run Id */
            readonly run_id: string;
            /** Settings */
            readonly settings?: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * State
             * @enum {string}
             */
            readonly state: "queued" | "running" | "paused" | "interrupted" | "finished" | "stopped" | "failed";
            /** Step */
            readonly step: number;
            /** Total Steps */
            readonly total_steps: number;
            /** Updated At */
            readonly updated_at: string;
            /**
             * Wanted
             * @enum {string}
             */
            readonly wanted: "running" | "paused" | "stopped";
        };
        /**
         * RunListBody
         * @description All runs of a user, newest first.
         */
        readonly RunListBody: {
            /** Runs */
            readonly runs: readonly components["schemas"]["RunBody"][];
        };
        /**
         * RunRecord
         * @description One run. What is not in here, the curve does not depend on.
         */
        readonly RunRecord: {
            /** Adapter */
            readonly adapter: string;
            readonly base_model: components["schemas"]["RecordedBaseModel"];
            /** Config */
            readonly config: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /** Created At */
            readonly created_at: string;
            readonly data: components["schemas"]["RecordedData"];
            /**
             * Format
             * @default 1
             * @constant
             */
            readonly format: 1;
            /** Machine */
            readonly machine: {
                readonly [key: string]: string;
            };
            readonly outcome?: components["schemas"]["RecordedOutcome"] | null;
            /**
             * Parent
             * @default
             */
            readonly parent: string;
            /** Run Id */
            readonly run_id: string;
            /**
             * Steering
             * @default []
             */
            readonly steering: readonly components["schemas"]["RecordedSteering"][];
            /** Versions */
            readonly versions: {
                readonly [key: string]: string;
            };
        };
        /**
         * RunSummaryBody
         * @description One run in a list, with as much of its curve as a sparkline has room for.
         */
        readonly RunSummaryBody: {
            /** Adapter */
            readonly adapter: string;
            /** Base Model */
            readonly base_model: string;
            /** Checkpoint */
            readonly checkpoint: string;
            /** Created At */
            readonly created_at: string;
            /** Loss */
            readonly loss: number | null;
            /** Parent Run */
            readonly parent_run: string;
            /** Parent Step */
            readonly parent_step: number;
            /** Points */
            readonly points?: readonly (readonly [
                number,
                number
            ])[];
            /** Rank */
            readonly rank: number;
            /** Reason */
            readonly reason: string;
            /** Run Id */
            readonly run_id: string;
            /** Seconds Per Step */
            readonly seconds_per_step?: number | null;
            /**
             * State
             * @enum {string}
             */
            readonly state: "queued" | "running" | "paused" | "interrupted" | "finished" | "stopped" | "failed";
            /** Step */
            readonly step: number;
            /** Total Steps */
            readonly total_steps: number;
            /** Updated At */
            readonly updated_at: string;
            /**
             * Wanted
             * @enum {string}
             */
            readonly wanted: "running" | "paused" | "stopped";
        };
        /**
         * ServiceBody
         * @description What the service is and does.
         */
        readonly ServiceBody: {
            /** Base Models */
            readonly base_models: readonly string[];
            readonly broadcast?: components["schemas"]["BroadcastBody"] | null;
            /** Computed In */
            readonly computed_in?: {
                readonly [key: string]: string;
            };
            readonly maintenance?: components["schemas"]["MaintenanceBody"] | null;
            /** Message */
            readonly message: string;
            /** Num Active Runs */
            readonly num_active_runs: number;
            /**
             * Phase
             * @enum {string}
             */
            readonly phase: "stopped" | "starting" | "ready" | "failed";
            /** Version */
            readonly version: string;
        };
        /**
         * SharedBody
         * @description A checkpoint that may be read.
         */
        readonly SharedBody: {
            /** Adapter */
            readonly adapter: string;
            /** Alpha */
            readonly alpha: number;
            /** Base Model */
            readonly base_model: string;
            /** Everyone */
            readonly everyone: boolean;
            /** Groups */
            readonly groups: readonly string[];
            /** Owner */
            readonly owner: string;
            /** Path */
            readonly path: string;
            /** Rank */
            readonly rank: number;
            /** Shared At */
            readonly shared_at: string;
            /** Step */
            readonly step: number;
        };
        /**
         * SharedListBody
         * @description All that the asker may read, newest first.
         */
        readonly SharedListBody: {
            /** Shared */
            readonly shared: readonly components["schemas"]["SharedBody"][];
        };
        /**
         * SweepBody
         * @description One sweep, its members in the order of the grid.
         */
        readonly SweepBody: {
            /** Best */
            readonly best: string;
            /** Config */
            readonly config: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /** Created At */
            readonly created_at: string;
            /** Grid */
            readonly grid: {
                readonly [key: string]: readonly components["schemas"]["JsonValue"][];
            };
            /** Halving */
            readonly halving: number | null;
            /** Members */
            readonly members: readonly components["schemas"]["SweepMemberBody"][];
            /** Name */
            readonly name: string;
            /**
             * State
             * @enum {string}
             */
            readonly state: "queued" | "running" | "finished" | "stopped" | "failed";
            /** Sweep Id */
            readonly sweep_id: string;
        };
        /**
         * SweepListBody
         * @description All sweeps of a user, newest first.
         */
        readonly SweepListBody: {
            /** Sweeps */
            readonly sweeps: readonly components["schemas"]["SweepSummaryBody"][];
        };
        /**
         * SweepMemberBody
         * @description One run of a sweep.
         */
        readonly SweepMemberBody: {
            /** Adapter */
            readonly adapter: string;
            /** Eval Loss */
            readonly eval_loss: number | null;
            /** Eval Points */
            readonly eval_points?: readonly (readonly [
                number,
                number
            ])[];
            /** Loss */
            readonly loss: number | null;
            /** Points */
            readonly points?: readonly (readonly [
                number,
                number
            ])[];
            /** Pruned At */
            readonly pruned_at: number | null;
            /**
             * Pruned By
             * @enum {string}
             */
            readonly pruned_by: "" | "hand" | "halving";
            /** Rank */
            readonly rank: number;
            /** Run Id */
            readonly run_id: string;
            /** Seconds Per Step */
            readonly seconds_per_step?: number | null;
            /** Settings */
            readonly settings: {
                readonly [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * State
             * @enum {string}
             */
            readonly state: "queued" | "running" | "paused" | "interrupted" | "finished" | "stopped" | "failed";
            /** Step */
            readonly step: number;
            /** Total Steps */
            readonly total_steps: number;
        };
        /**
         * SweepSummaryBody
         * @description One sweep in a list.
         */
        readonly SweepSummaryBody: {
            /** Best */
            readonly best: string;
            /** Created At */
            readonly created_at: string;
            /** Name */
            readonly name: string;
            /** Num Active */
            readonly num_active: number;
            /** Num Members */
            readonly num_members: number;
            /**
             * State
             * @enum {string}
             */
            readonly state: "queued" | "running" | "finished" | "stopped" | "failed";
            /** Sweep Id */
            readonly sweep_id: string;
        };
        /**
         * TokenColumnsBody
         * @description The tokens as columns, (T,) long.
         */
        readonly TokenColumnsBody: {
            /**
             * Base Logprob
             * @default []
             */
            readonly base_logprob: readonly (number | null)[];
            /** End */
            readonly end: readonly number[];
            /** Id */
            readonly id: readonly number[];
            /**
             * Logprob
             * @default []
             */
            readonly logprob: readonly (number | null)[];
            /** Role */
            readonly role: readonly string[];
            /** Special */
            readonly special: readonly boolean[];
            /** Start */
            readonly start: readonly number[];
            /** Text */
            readonly text: readonly string[];
            /** Weight */
            readonly weight: readonly number[];
        };
        /**
         * TokenViewBody
         * @description A row as tokens, what is cut included.
         */
        readonly TokenViewBody: {
            /**
             * Adapter
             * @default
             */
            readonly adapter: string;
            /** Base Model */
            readonly base_model: string;
            /**
             * Faults
             * @default []
             */
            readonly faults: readonly components["schemas"]["RowFaultBody"][];
            /** Loss Mask */
            readonly loss_mask: string;
            /** Loss Masks */
            readonly loss_masks: readonly string[];
            /** Max Length */
            readonly max_length: number | null;
            /** Num Learned */
            readonly num_learned: number;
            /** Stop Token Ids */
            readonly stop_token_ids: readonly number[];
            readonly tokens: components["schemas"]["TokenColumnsBody"];
        };
        /**
         * UsageBody
         * @description All limits of one user.
         */
        readonly UsageBody: {
            /** Limits */
            readonly limits: readonly components["schemas"]["LimitBody"][];
        };
        /**
         * UserOverviewBody
         * @description What a user has and what the service does.
         */
        readonly UserOverviewBody: {
            /** Adapters */
            readonly adapters: readonly components["schemas"]["AdapterBody"][];
            /** Base Models */
            readonly base_models: readonly components["schemas"]["LoadedModelBody"][];
            readonly broadcast?: components["schemas"]["BroadcastBody"] | null;
            /** Limits */
            readonly limits: readonly components["schemas"]["LimitBody"][];
            readonly maintenance?: components["schemas"]["MaintenanceBody"] | null;
            /** Message */
            readonly message: string;
            /** Num Older Runs */
            readonly num_older_runs: number;
            /** Num Queued Runs */
            readonly num_queued_runs: number;
            /**
             * Phase
             * @enum {string}
             */
            readonly phase: "stopped" | "starting" | "ready" | "failed";
            /** Runs */
            readonly runs: readonly components["schemas"]["RunSummaryBody"][];
            /** Tag */
            readonly tag: string;
            /** Version */
            readonly version: string;
        };
        /**
         * UserUseBody
         * @description What one user has and does.
         */
        readonly UserUseBody: {
            /** Last Seen */
            readonly last_seen: string;
            /** Num Active Adapters */
            readonly num_active_adapters: number;
            /** Num Adapters */
            readonly num_adapters: number;
            /** Queued Tokens */
            readonly queued_tokens: number;
            /** Runs */
            readonly runs: {
                readonly [key: string]: number;
            };
            /** Storage Bytes */
            readonly storage_bytes: number;
            /** Tokens Per Minute */
            readonly tokens_per_minute: number;
            /** User */
            readonly user: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
