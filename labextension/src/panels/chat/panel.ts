/**
 * The chat panel: one to four models side by side, answers as they are written, thumbs that become
 * preference rows. It knows neither JupyterLab nor the kernel.
 */

import { chatJson, type ChatBundle, type ChatTurn } from '../../asking';
import { isFields, list, text } from '../../fields';
import type { Asker } from '../asker';
import { button } from '../button';
import { copyText } from '../clipboard';
import { element, setAttribute, setText } from '../dom';
import { isEnter, keepKeys } from '../entry';
import type { Disposable } from '../transport';
import { pythonCode } from './code';
import { TurnView } from './column';
import { Dialogue } from './dialogue';
import { KeptPreferences } from './keptPreferences';
import { conversation, preferencesOf, whyNone, type Vote } from './preferences';
import { ChatForm } from './settings';

const REDRAW_MS = 100;
let numChats = 0;

/** A turn as it was drawn last, and what a person thinks of its answers. */
interface Round {
  turn: ChatTurn;
  votes: readonly Vote[];
  readonly view: TurnView;
}

export class ChatPanel implements Disposable {
  readonly node: HTMLElement;
  private readonly form: ChatForm;
  private readonly log = element('div', 'jp-twinkle-turns', { role: 'log', 'aria-label': 'Conversation', tabindex: '0' });
  private readonly input = element('textarea', 'jp-twinkle-entry jp-twinkle-question', {
    rows: '2',
    'aria-label': 'Your message',
    placeholder: 'Ask all of them; Shift+Enter begins a new line',
    'data-entry': 'question'
  });
  private readonly send = button('send', 'Send');
  private readonly stop = button('stop-answers', 'Stop');
  private readonly copy = button('copy-code', 'Copy as code');
  private readonly clear = button('clear-chat', 'Clear');
  private readonly said = element('div', 'jp-twinkle-steer-said', { role: 'status' });

  private readonly dialogue: Dialogue;
  private readonly kept: KeptPreferences;
  private rounds: readonly Round[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    bundle: ChatBundle,
    private readonly asker: Asker,
    private readonly onChange: (chat: Record<string, unknown>) => void
  ) {
    this.dialogue = new Dialogue(bundle, asker, () => {
      this.timer ??= setTimeout(() => this.draw(), REDRAW_MS);
    });
    this.kept = new KeptPreferences(asker);
    numChats += 1;
    this.form = new ChatForm(bundle, `jp-twinkle-models-${numChats}`);
    this.send.onclick = () => void this.ask();
    this.stop.onclick = () => this.dialogue.stop();
    this.copy.onclick = () => void this.copyCode();
    this.clear.onclick = () => this.beginAnew();
    this.input.onkeydown = event => this.onKey(event);
    const title = element('span', 'jp-twinkle-title', {}, 'Chat');
    this.node = element(
      'section',
      'jp-twinkle-panel jp-twinkle-chat',
      { role: 'region', 'aria-label': `Chat with ${bundle.models.join(', ')}`, 'data-twinkle-chat': bundle.chatId },
      element('div', 'jp-twinkle-head', {}, title, element('span', 'jp-twinkle-connection'), this.copy, this.clear),
      this.form.node,
      this.log,
      element('div', 'jp-twinkle-asking', {}, this.input, this.send, this.stop),
      this.said
    );
    this.showTurns();
    void this.suggest();
  }

  get chatId(): string {
    return this.dialogue.current.chatId;
  }

  /** What is to be stored; null where nothing was said here since it was stored or taken. */
  give(): ChatBundle | null {
    return this.dialogue.give();
  }

  /** Show what another view has stored, unless something newer was said here. */
  take(stored: ChatBundle): void {
    const before = askedOf(this.dialogue.current);
    if (this.dialogue.take(stored)) {
      if (askedOf(stored) !== before) {
        this.form.show(stored);
      }
      this.showTurns();
    }
  }

  dispose(): void {
    this.dialogue.leave();
    clearTimeout(this.timer);
    this.node.remove();
  }

  private beginAnew(): void {
    this.dialogue.clear();
    this.showTurns();
    this.tellChange();
  }

  private tellChange(): void {
    this.onChange(chatJson(this.dialogue.current));
  }

  /** Draw what is not drawn yet; a turn that is as it was keeps its thumbs. */
  private showTurns(): void {
    const known = this.rounds;
    this.rounds = this.dialogue.current.turns.map((turn, place) => {
      const round = known[place];
      return round?.turn === turn ? round : this.roundOf(turn);
    });
    this.log.replaceChildren(...this.rounds.map(round => round.view.node));
    this.showWriting();
  }

  private roundOf(turn: ChatTurn): Round {
    const round: Round = { turn, votes: [], view: new TurnView(turn, (column, vote) => void this.vote(round, column, vote)) };
    return round;
  }

  private onKey(event: KeyboardEvent): void {
    keepKeys(event);
    if (isEnter(event) && !event.shiftKey) {
      event.preventDefault();
      void this.ask();
    }
  }

  private async ask(): Promise<void> {
    const prompt = this.input.value.trim();
    const read = this.form.read();
    if (typeof read === 'string' || prompt === '' || this.dialogue.isWriting) {
      this.tell(typeof read === 'string' ? read : prompt === '' ? 'Write a message first.' : '', true);
      return;
    }
    this.input.value = '';
    this.tell('', false);
    const asked = this.dialogue.ask(read, prompt);
    this.showTurns();
    this.scroll();
    if (await asked) {
      this.draw();
      this.showWriting();
      this.tellChange();
      const round = this.rounds.at(-1);
      if (round?.votes.some(vote => vote !== null) === true) {
        await this.keep(round);
      }
    }
  }

  private draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const round = this.rounds.at(-1);
    const turn = this.dialogue.current.turns.at(-1);
    if (round !== undefined && turn !== undefined) {
      round.turn = turn;
      round.view.show(turn, round.votes);
      this.scroll();
    }
  }

  private async vote(round: Round, column: number, vote: Vote): Promise<void> {
    round.votes = round.turn.answers.map((_, place) => (place === column ? vote : (round.votes[place] ?? null)));
    round.view.show(round.turn, round.votes);
    await this.keep(round);
  }

  /** Let the file have what a turn's votes make of its answers. */
  private async keep(round: Round): Promise<void> {
    const { turns, system } = this.dialogue.current;
    const made = preferencesOf(turns, this.rounds.indexOf(round), round.votes, system);
    const isWaiting = made.length === 0 && round.votes.some(vote => vote !== null);
    try {
      const said = await this.kept.keep(round, made);
      this.tell(said === '' && isWaiting ? whyNone(round.turn) : said, false);
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
    }
  }

  private async copyCode(): Promise<void> {
    const read = this.form.read();
    const { current } = this.dialogue;
    const last = Math.max(0, current.turns.length - 1);
    const known = typeof read === 'string' ? current : read;
    const code = pythonCode(known.models, conversation(current.turns, last, 0, known.system), known.settings);
    if (await copyText(code)) {
      this.tell('The clipboard has a program that asks the same.', false);
    } else {
      this.tell('The browser does not let a page fill the clipboard here.', true);
    }
  }

  private async suggest(): Promise<void> {
    try {
      const said = await this.asker.ask('adapters', {});
      const names = list(isFields(said) ? said['adapters'] : null).filter(isFields).map(one => text(one['name']));
      this.form.suggest([...names, 'base']);
    } catch {
      // Names can be typed without being offered.
    }
  }

  private showWriting(): void {
    const { isWriting, current } = this.dialogue;
    this.send.disabled = isWriting;
    this.stop.disabled = !isWriting;
    setAttribute(this.node, 'data-writing', String(isWriting));
    setAttribute(this.node, 'data-turns', String(current.turns.length));
  }

  private scroll(): void {
    this.log.scrollTop = this.log.scrollHeight;
  }

  private tell(said: string, isProblem: boolean): void {
    this.said.classList.toggle('jp-twinkle-mod-problem', isProblem);
    setText(this.said, said);
  }
}

/** What the form says, to see whether another view has changed it. */
function askedOf({ models, system, settings }: ChatBundle): string {
  return JSON.stringify([models, system, settings]);
}
