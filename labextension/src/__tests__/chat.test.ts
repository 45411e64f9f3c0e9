import { beforeEach, describe, expect, it } from 'vitest';
import { chatJson, FIRST_CHAT_SETTINGS, parseChatBundle, type ChatBundle } from '../asking';
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
const prompts = (chat: ChatBundle | null) => chat?.turns.map(turn => turn.prompt);

/** Ask, and let both answers end. */
async function talk(dialogue: Dialogue, prompt: string): Promise<void> {
  const over = dialogue.ask(dialogue.current, prompt);
  asker.asked.splice(0).forEach((one, column) => {
    one.say(`${prompt} ${column}`);
    one.end(STOP);
  });
  await over;
}

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

  it('have broken off where they were stored half', () => {
    const half = { prompt: 'Who?', answers: [{ model: 'pirate', text: 'Arr, I am', note: '' }] };
    const read = parseChatBundle(JSON.parse(JSON.stringify(chatJson({ ...CHAT, turns: [half] }))));

    expect(read?.turns[0]?.answers[0]?.note).toBe('broke off');
  });
});

describe('a chat with two views', () => {
  /** What each save does: every view may write, and every view is shown what is written. */
  function save(views: readonly Dialogue[], stored: ChatBundle): ChatBundle {
    return views.reduce((kept, view) => {
      const given = view.give();
      if (given === null) {
        return kept;
      }
      const written = parseChatBundle(JSON.parse(JSON.stringify(chatJson(given)))) ?? kept;
      views.forEach(other => other.take(written));
      return written;
    }, stored);
  }

  it('is stored by the one that has changed it, and the other goes on from there', async () => {
    const [live, idle] = [dialogueOf(CHAT), dialogueOf(CHAT)];
    await talk(live, 'Who are you?');
    expect(idle.give()).toBeNull();
    let stored = CHAT;
    for (const views of [[live, idle], [idle, live], [idle]]) {
      stored = save(views, stored);
      expect(prompts(stored)).toEqual(['Who are you?']);
    }
    await talk(idle, 'And now?');

    expect(prompts(save([live, idle], stored))).toEqual(['Who are you?', 'And now?']);
    expect(live.current).toEqual(idle.current);
  });

  it('is not replaced in a view that is being answered, or that has not stored its own', async () => {
    const dialogue = dialogueOf(CHAT);
    const over = dialogue.ask(CHAT, 'Who?');
    dialogue.give();
    expect(dialogue.take(CHAT)).toBe(false);
    asker.asked.forEach(one => one.end(STOP));
    await over;
    expect(dialogue.take(CHAT)).toBe(false);
    dialogue.give();

    expect([dialogue.take(dialogue.current), dialogue.take(CHAT), prompts(dialogue.current)]).toEqual([false, true, []]);
  });

  it('keeps the turns that are the same as they were', async () => {
    const dialogue = dialogueOf(CHAT);
    await talk(dialogue, 'Who?');
    const stored = parseChatBundle(JSON.parse(JSON.stringify(chatJson(dialogue.give() ?? CHAT))));
    const [first] = dialogue.current.turns;
    dialogue.take({ ...CHAT, turns: [...(stored?.turns ?? []), { prompt: 'And now?', answers: [] }] });

    expect([dialogue.current.turns[0] === first, dialogue.current.turns.length]).toEqual([true, 2]);
  });
});
