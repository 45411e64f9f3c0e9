/** Thumbs to preference rows, in the layout that preference losses read. */

import type { ChatTurn, Message } from '../../asking';

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

/**
 * The pairs that a turn's votes make: each answer with a thumb up is better than each with a thumb
 * down. Of two answers one thumb says it all. Equal answers make no pair.
 */
export function preferencesOf(
  turns: readonly ChatTurn[],
  turn: number,
  votes: readonly Vote[],
  system: string
): Preference[] {
  const answers = turns[turn]?.answers ?? [];
  const full = answers.length === 2 ? completed(votes) : votes;
  const places = (vote: Vote) => answers.flatMap((_, column) => (full[column] === vote ? [column] : []));
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
