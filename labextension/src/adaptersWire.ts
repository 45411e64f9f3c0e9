/** What the service says about adapters and exports, as types and from JSON. */

import { isFields, list, number, text } from './fields';

export const ADAPTERS_MIME_TYPE = 'application/vnd.twinkle.adapters+json';

export interface AdapterLine {
  readonly name: string;
  readonly baseModel: string;
  readonly rank: number;
  readonly step: number;
  /** Of its newest run, or of the client that trains it. */
  readonly state: string;
  /** Absolute, of its newest weights; empty before the first. */
  readonly folder: string;
  readonly place: 'active' | 'resident' | 'stored' | '';
  readonly sizeBytes: number;
  readonly numCheckpoints: number;
  /** ISO 8601, UTC; empty: nothing of it goes by itself. */
  readonly expiresAt: string;
  /** The adapter that it went on from; empty: none. */
  readonly parent: string;
  readonly parentStep: number;
}

/** The content of `application/vnd.twinkle.adapters+json`. */
export interface AdaptersBundle {
  readonly adapters: readonly AdapterLine[];
  /** Absolute: where exports go unless another folder is named. */
  readonly exportFolder: string;
}

const EXPORT_STATES = ['running', 'finished', 'failed', 'cancelled'] as const;

export interface ExportState {
  readonly exportId: string;
  readonly state: (typeof EXPORT_STATES)[number];
  readonly fraction: number;
  readonly folder: string;
  readonly sizeBytes: number;
  readonly message: string;
}

/** Read the service's list; malformed lines are left out. */
export function parseAdapterLines(value: unknown): AdapterLine[] {
  return list(isFields(value) ? value['adapters'] : null).flatMap(item => {
    const fields = isFields(item) ? item : {};
    const details = isFields(fields['details']) ? fields['details'] : {};
    const name = text(fields['name']);
    const line: AdapterLine = {
      name,
      baseModel: text(fields['base_model']),
      rank: number(fields['rank']) ?? 0,
      step: number(fields['step']) ?? 0,
      state: text(fields['state']),
      folder: text(fields['folder']),
      place: parsePlace(details['place']),
      sizeBytes: number(details['size_bytes']) ?? 0,
      numCheckpoints: number(details['num_checkpoints']) ?? 0,
      expiresAt: text(details['expires_at']),
      parent: text(details['parent']),
      parentStep: number(details['parent_step']) ?? 0
    };
    return name === '' ? [] : [line];
  });
}

/** The MIME type's content; null when it is none. */
export function parseAdaptersBundle(value: unknown): AdaptersBundle | null {
  if (!isFields(value) || !Array.isArray(value['adapters'])) {
    return null;
  }
  return { adapters: parseAdapterLines(value), exportFolder: text(value['export_folder']) };
}

export function parseExportState(value: unknown): ExportState {
  const fields = isFields(value) ? value : {};
  return {
    exportId: text(fields['export_id']),
    state: EXPORT_STATES.find(state => state === fields['state']) ?? 'failed',
    fraction: number(fields['fraction']) ?? 0,
    folder: text(fields['folder']),
    sizeBytes: number(fields['size_bytes']) ?? 0,
    message: [text(fields['message']), text(fields['hint'])].filter(part => part !== '').join(' ')
  };
}

function parsePlace(value: unknown): AdapterLine['place'] {
  return value === 'active' || value === 'resident' || value === 'stored' ? value : '';
}
