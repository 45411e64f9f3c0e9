/** Thumbs to preference rows, in the layout that preference losses read. */

import type { ChatAnswer, ChatTurn, Message } from '../../asking';

export type Vote = 'up' | 'down' | null;

export interface Preference {
  readonly prompt: readonly Message[];
  readonly chosen: readonly Message[];
  readonly rejected: readonly Message[];
}

/** The conversation that a column's model has read before the turn of this number. */
export function conversation(turns: readonly ChatTurn[], turn: number, column: number, system: string): Message[] {
  const messages: Message[] = system === '' ? [] : [{ role: 'system', content: system }];
  for (const { prompt, answers } of turns.slice(0, turn)) {
    messages.push({ role: 'user', content: prompt }, { role: 'assistant', content: answers[column]?.text ?? '' });
  }
  messages.push({ role: 'user', content: turns[turn]?.prompt ?? '' });
  return messages;
}

/** Whether an answer can be one of a pair: half of one has another probability than the whole. */
export function canBePreferred(answer: ChatAnswer | undefined): boolean {
  return answer !== undefined && answer.isWhole && answer.text.trim() !== '';
}

/**
 * The pairs that a turn's votes make: each answer with a thumb up is better than each with a thumb
 * down. Of two answers one thumb says it all. Equal answers make no pair, nor do those that are not
 * whole.
 */
export function preferencesOf(
  turns: readonly ChatTurn[],
  turn: number,
  votes: readonly Vote[],
  system: string
): Preference[] {
  const answers = turns[turn]?.answers ?? [];
  const full = answers.length === 2 ? completed(votes) : votes;
  const places = (vote: Vote) => answers.flatMap((answer, column) => (full[column] === vote && canBePreferred(answer) ? [column] : []));
  return places('up').flatMap(up =>
    places('down').flatMap(down => {
      const [chosen, rejected] = [answers[up]?.text ?? '', answers[down]?.text ?? ''];
      return chosen === rejected
        ? []
        : [{ prompt: conversation(turns, turn, up, system), chosen: said(chosen), rejected: said(rejected) }];
    })
  );
}

function completed(votes: readonly Vote[]): readonly Vote[] {
  const [first = null, second = null] = votes;
  const other = (vote: Vote): Vote => (vote === 'up' ? 'down' : vote === 'down' ? 'up' : null);
  return [first ?? other(second), second ?? other(first)];
}

function said(text: string): Message[] {
  return [{ role: 'assistant', content: text }];
}

/** Why a turn's thumbs have made no preference yet. */
export function whyNone({ answers }: ChatTurn): string {
  if (answers.length < 2) {
    return 'A preference needs two answers: name a second model.';
  }
  if (answers.filter(canBePreferred).length < 2) {
    return answers.some(answer => answer.note === '')
      ? 'The preference is kept once the answers are whole.'
      : 'A preference needs two whole answers: none is kept of one that failed, was stopped or was cut at the limit.';
  }
  return answers.every(answer => answer.text === answers[0]?.text)
    ? 'The answers are the same: there is nothing to prefer. A higher temperature or another seed may help.'
    : 'Now one for an answer that is better or worse than this one.';
}
