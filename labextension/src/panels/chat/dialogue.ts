/**
 * What is said in a chat: its turns, and the answers that are being written. It draws nothing, and
 * knows whether it holds something that is not stored yet.
 */

import { chatJson, type ChatAnswer, type ChatBundle, type ChatTurn } from '../../asking';
import { isFields, number } from '../../fields';
import type { Asker } from '../asker';
import { conversation } from './preferences';

/** Who is asked, and how. */
export type Wanted = Pick<ChatBundle, 'models' | 'system' | 'settings'>;

export class Dialogue {
  private writing: AbortController | null = null;
  /** Something was said here since the chat was last given or taken. */
  private isNewer = false;

  /** `onPart` is told that something of the newest turn has come. */
  constructor(
    private bundle: ChatBundle,
    private readonly asker: Asker,
    private readonly onPart: () => void
  ) {}

  get current(): ChatBundle {
    return this.bundle;
  }

  get isWriting(): boolean {
    return this.writing !== null;
  }

  /** Begin a turn; resolves when it is written, to whether nothing has ended it meanwhile. */
  async ask({ models, system, settings }: Wanted, prompt: string): Promise<boolean> {
    const isOther = models.join() !== this.bundle.models.join() || system !== this.bundle.system;
    const turns = isOther ? [] : this.bundle.turns; // another model has not read what was said
    const turn: ChatTurn = { prompt, answers: models.map(model => ({ model, text: '', note: '', isWhole: false })) };
    this.bundle = { ...this.bundle, models, system, settings, turns: [...turns, turn] };
    this.isNewer = true;
    const writing = new AbortController();
    this.writing = writing;
    await Promise.all(models.map((_, column) => this.answer(column, writing.signal)));
    const isLast = this.isLast(writing.signal);
    if (isLast) {
      this.writing = null;
    }
    return isLast;
  }

  /** End the answers; what came of them stays. */
  stop(): void {
    this.writing?.abort();
  }

  /** End the answers, and let nothing more come of them. */
  leave(): void {
    const { writing } = this;
    this.writing = null;
    writing?.abort();
  }

  /** Begin anew. */
  clear(): void {
    this.leave();
    this.isNewer ||= this.bundle.turns.length > 0;
    this.bundle = { ...this.bundle, turns: [] };
  }

  /** What is to be stored; null where nothing was said here since it was stored or taken. */
  give(): ChatBundle | null {
    if (!this.isNewer) {
      return null;
    }
    this.isNewer = false;
    return this.bundle;
  }

  /** Go on from what another view has stored, unless something newer was said here; whether it does. */
  take(stored: ChatBundle): boolean {
    if (this.isNewer || this.isWriting || textOf(stored) === textOf(this.bundle)) {
      return false;
    }
    const isKnown = (turn: ChatTurn, place: number) => JSON.stringify(turn) === JSON.stringify(this.bundle.turns[place]);
    const turns = stored.turns.map((turn, place) => (isKnown(turn, place) ? (this.bundle.turns[place] ?? turn) : turn));
    this.bundle = { ...stored, turns };
    return true;
  }

  private async answer(column: number, signal: AbortSignal): Promise<void> {
    const { settings, models, system, turns } = this.bundle;
    const body = {
      model: models[column],
      messages: conversation(turns, turns.length - 1, column, system),
      temperature: settings.temperature,
      top_p: settings.topP,
      max_tokens: settings.maxTokens,
      seed: settings.seed
    };
    const change = (make: (answer: ChatAnswer) => ChatAnswer): void => this.change(column, signal, make);
    try {
      const end = await this.asker.ask('samples', body, part => change(answer => ({ ...answer, text: answer.text + part })), signal);
      change(answer => ({ ...answer, ...endOf(end) }));
    } catch (error) {
      const note = signal.aborted ? 'stopped' : error instanceof Error ? error.message : String(error);
      change(answer => ({ ...answer, note }));
    }
  }

  /** Change an answer of the newest turn, if it is still the one that this signal can end. */
  private change(column: number, signal: AbortSignal, make: (answer: ChatAnswer) => ChatAnswer): void {
    const turn = this.bundle.turns.at(-1);
    if (turn === undefined || !this.isLast(signal)) {
      return;
    }
    const answers = turn.answers.map((answer, place) => (place === column ? make(answer) : answer));
    this.bundle = { ...this.bundle, turns: [...this.bundle.turns.slice(0, -1), { ...turn, answers }] };
    this.isNewer = true;
    this.onPart();
  }

  private isLast(signal: AbortSignal): boolean {
    return this.writing?.signal === signal;
  }
}

function textOf(chat: ChatBundle): string {
  return JSON.stringify(chatJson(chat));
}

/** `weights of step 40, 12 tokens`; whole is what the model itself has ended. */
function endOf(end: unknown): Pick<ChatAnswer, 'note' | 'isWhole'> {
  const fields = isFields(end) ? end : {};
  const version = number(fields['version']);
  const from = version === null ? 'base model' : `weights of step ${version}`;
  const cut = fields['finish_reason'] === 'length' ? ', cut at the limit' : '';
  const note = `${from}, ${number(fields['num_tokens']) ?? 0} tokens${cut}`;
  return { note, isWhole: fields['finish_reason'] === 'stop' };
}
