import { beforeEach, describe, expect, it } from 'vitest';
import { FIRST_CHAT_SETTINGS, type ChatBundle } from '../asking';
import type { Asker, Question } from '../panels/asker';
import { Dialogue } from '../panels/chat/dialogue';
import type { ActionBody } from '../wire';

const CHAT: ChatBundle = { chatId: 'c', models: ['pirate', 'base'], system: '', settings: FIRST_CHAT_SETTINGS, turns: [] };
const STOP = { version: 40, num_tokens: 12, finish_reason: 'stop' };

interface Asked {
  readonly say: (text: string) => void;
  readonly end: (end: unknown) => void;
  readonly signal: AbortSignal;
}

/** Answers are written by hand. */
class HandAsker implements Asker {
  readonly asked: Asked[] = [];

  ask(_question: Question, _body: ActionBody, onPart?: (text: string) => void, signal?: AbortSignal): Promise<unknown> {
    return new Promise((end, fail) => {
      const given = signal ?? new AbortController().signal;
      given.addEventListener('abort', () => fail(new Error('aborted')));
      this.asked.push({ say: part => onPart?.(part), end, signal: given });
    });
  }
}

let asker: HandAsker;
const dialogueOf = (chat: ChatBundle): Dialogue => new Dialogue(chat, asker, () => undefined);
const said = (dialogue: Dialogue) => dialogue.current.turns.map(turn => turn.answers.map(answer => answer.text));

beforeEach(() => {
  asker = new HandAsker();
});

describe('answers that are written', () => {
  it('end with the chat that is cleared, and say nothing in the next one', async () => {
    const dialogue = dialogueOf(CHAT);
    const first = dialogue.ask(CHAT, 'First?');
    asker.asked[0]?.say('old');
    dialogue.clear();
    const second = dialogue.ask(CHAT, 'Second?');
    expect(asker.asked.map(one => one.signal.aborted)).toEqual([true, true, false, false]);
    asker.asked[2]?.say('new');
    asker.asked[0]?.say(' old');
    asker.asked[0]?.end(STOP);

    expect([await first, dialogue.isWriting, said(dialogue)]).toEqual([false, true, [['new', '']]]);
    asker.asked[2]?.end(STOP);
    dialogue.stop();
    expect([await second, dialogue.isWriting]).toEqual([true, false]);
    expect(dialogue.current.turns[0]?.answers.map(answer => answer.note)).toEqual(['weights of step 40, 12 tokens', 'stopped']);
  });

  it('change nothing once the panel is gone', async () => {
    const dialogue = dialogueOf(CHAT);
    const over = dialogue.ask(CHAT, 'Who?');
    dialogue.leave();

    expect([await over, asker.asked.map(one => one.signal.aborted), said(dialogue)]).toEqual([false, [true, true], [['', '']]]);
  });
});
