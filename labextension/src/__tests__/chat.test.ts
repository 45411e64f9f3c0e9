import { beforeEach, describe, expect, it } from 'vitest';
import { chatJson, FIRST_CHAT_SETTINGS, parseChatBundle, type ChatBundle } from '../asking';
import type { Asker, Question } from '../panels/asker';
import { Dialogue } from '../panels/chat/dialogue';
import { KeptPreferences } from '../panels/chat/keptPreferences';
import { preferencesOf, whyNone, type Preference, type Vote } from '../panels/chat/preferences';
import type { ActionBody } from '../wire';

const CHAT: ChatBundle = { chatId: 'c', models: ['pirate', 'base'], system: '', settings: FIRST_CHAT_SETTINGS, turns: [] };
const STOP = { version: 40, num_tokens: 12, finish_reason: 'stop' };
const CUT = { version: null, num_tokens: 256, finish_reason: 'length' };

interface Asked {
  readonly say: (text: string) => void;
  readonly end: (end: unknown) => void;
  readonly fail: (why: Error) => void;
  readonly signal: AbortSignal;
}

/** Answers are written by hand, and what is kept lies in an array. */
class HandAsker implements Asker {
  readonly asked: Asked[] = [];
  file: unknown[] = [];
  isFull = false;

  ask(question: Question, body: ActionBody, onPart?: (text: string) => void, signal?: AbortSignal): Promise<unknown> {
    if (question === 'keep') {
      return this.keep(body['rows'] as unknown[], body['taken_back'] as unknown[]);
    }
    return new Promise((end, fail) => {
      const given = signal ?? new AbortController().signal;
      given.addEventListener('abort', () => fail(new Error('aborted')));
      this.asked.push({ say: part => onPart?.(part), end, fail, signal: given });
    });
  }

  private async keep(rows: readonly unknown[], takenBack: readonly unknown[]): Promise<unknown> {
    await Promise.resolve();
    if (this.isFull) {
      throw new Error('The disk is full.');
    }
    const gone = takenBack.map(row => JSON.stringify(row));
    this.file = [...this.file.filter(row => !gone.includes(JSON.stringify(row))), ...rows];
    return { path: 'preferences.jsonl' };
  }
}

let asker: HandAsker;
const dialogueOf = (chat: ChatBundle): Dialogue => new Dialogue(chat, asker, () => undefined);
const said = (dialogue: Dialogue) => dialogue.current.turns.map(turn => turn.answers.map(answer => answer.text));
const prompts = (chat: ChatBundle | null) => chat?.turns.map(turn => turn.prompt);

/** Ask, and let both answers end as they do. */
async function talk(dialogue: Dialogue, prompt: string, ...ends: readonly unknown[]): Promise<void> {
  const over = dialogue.ask(dialogue.current, prompt);
  asker.asked.splice(0).forEach((one, column) => {
    one.say(`${prompt} ${column}`);
    one.end(ends[column] ?? STOP);
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

  it('are whole only where the model has ended them', async () => {
    const dialogue = dialogueOf(CHAT);
    await talk(dialogue, 'Who?', STOP, CUT);
    const over = dialogue.ask(CHAT, 'And now?');
    asker.asked[0]?.fail(new Error('There is no adapter “pirate”.'));
    asker.asked[1]?.end({ finish_reason: 'cancelled' });
    await over;

    expect(dialogue.current.turns.map(turn => turn.answers.map(answer => answer.isWhole))).toEqual([[true, false], [false, false]]);
  });

  it('have broken off where they were stored half', () => {
    const half = { prompt: 'Who?', answers: [{ model: 'pirate', text: 'Arr, I am', note: '', isWhole: false }] };
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

describe('thumbs', () => {
  const made = async (votes: readonly Vote[], ...ends: readonly unknown[]) => {
    const dialogue = dialogueOf(CHAT);
    await talk(dialogue, 'Who?', ...ends);
    return [preferencesOf(dialogue.current.turns, 0, votes, '').length, dialogue.current.turns.map(whyNone)[0]] as const;
  };

  it('prefer nothing to an answer that is not whole, nor such a one', async () => {
    expect((await made(['up', null]))[0]).toBe(1);
    for (const votes of [['up', null], [null, 'up'], ['down', 'up']] as const) {
      const [count, why] = await made(votes, STOP, CUT);
      expect([count, why]).toEqual([0, expect.stringContaining('two whole answers')]);
    }
  });

  it('wait for an answer that is being written', () => {
    const dialogue = dialogueOf(CHAT);
    void dialogue.ask(CHAT, 'Who?');

    expect(dialogue.current.turns.map(whyNone)).toEqual(['The preference is kept once the answers are whole.']);
  });

  const row = (chosen: string, rejected: string): Preference => ({
    prompt: [{ role: 'user', content: 'Who?' }],
    chosen: [{ role: 'assistant', content: chosen }],
    rejected: [{ role: 'assistant', content: rejected }]
  });
  const [first, second] = [{}, {}];

  it('that change take back what they kept', async () => {
    const kept = new KeptPreferences(asker);
    const all = [kept.keep(first, [row('a', 'b')]), kept.keep(second, [row('c', 'd')]), kept.keep(first, [row('b', 'a')])];

    expect(await Promise.all(all)).toEqual(['1 preference is in preferences.jsonl', ...Array<string>(2).fill('2 preferences are in preferences.jsonl')]);
    expect(asker.file).toEqual([row('c', 'd'), row('b', 'a')]);
    await kept.keep(second, []);
    expect(await kept.keep(first, [])).toBe('The preference is no longer in preferences.jsonl');
    expect(asker.file).toEqual([]);
  });

  it('keep no row twice, and none away from another turn', async () => {
    const kept = new KeptPreferences(asker);
    await kept.keep(first, [row('a', 'b')]);
    expect([await kept.keep(second, [row('a', 'b')]), await kept.keep(first, [])]).toEqual(['', '']);
    expect(asker.file).toEqual([row('a', 'b')]);
  });

  it('are tried again after a file that could not be written', async () => {
    const kept = new KeptPreferences(asker);
    asker.isFull = true;
    await expect(kept.keep(first, [row('a', 'b')])).rejects.toThrow('The disk is full.');
    asker.isFull = false;
    await kept.keep(first, [row('a', 'b')]);
    expect(asker.file).toEqual([row('a', 'b')]);
  });
});
