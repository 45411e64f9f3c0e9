/** How the token ribbon, the chat and the table of adapters reach the service, whatever carries it. */

import type { ActionBody } from '../wire';

export type Question =
  | 'tokens'
  | 'adapters'
  | 'samples'
  | 'keep'
  | 'list-adapters'
  | 'export'
  | 'export-state'
  | 'export-cancel'
  | 'sweep'
  | 'sweep-command'
  | 'run-command';

export interface Asker {
  /**
   * Ask once. `samples` tells each piece to `onPart` before it resolves with how the answer ended;
   * `keep` adds preferences, removes those of `taken_back` and resolves with where. Rejects with a `CommandFailedError`.
   */
  ask(question: Question, body: ActionBody, onPart?: (text: string) => void, signal?: AbortSignal): Promise<unknown>;
}
