/**
 * The chat panel: one to four models side by side, answers as they are written, thumbs that become
 * preference rows. It knows neither JupyterLab nor the kernel.
 */

import { chatJson, type ChatAnswer, type ChatBundle, type ChatTurn } from '../../asking';
import { isFields, list, number, text } from '../../fields';
import type { Asker } from '../asker';
import { button } from '../button';
import { copyText } from '../clipboard';
import { element, setAttribute, setText } from '../dom';
import { isEnter, keepKeys } from '../entry';
import type { Disposable } from '../transport';
import { pythonCode } from './code';
import { TurnView } from './column';
import { conversation, preferencesOf, type Vote } from './preferences';
import { ChatForm } from './settings';

const REDRAW_MS = 100;
let numChats = 0;

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

  private bundle: ChatBundle;
  private turns: ChatTurn[];
  private views: TurnView[] = [];
  private votes: Vote[][] = [];
  /** Preferences that were kept, so that a second click keeps none twice. */
  private readonly kept = new Set<string>();
  private writing: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    bundle: ChatBundle,
    private readonly asker: Asker,
    private readonly onChange: (chat: Record<string, unknown>) => void
  ) {
    this.bundle = bundle;
    this.turns = [...bundle.turns];
    numChats += 1;
    this.form = new ChatForm(bundle, `jp-twinkle-models-${numChats}`);
    this.send.onclick = () => void this.ask();
    this.stop.onclick = () => this.writing?.abort();
    this.copy.onclick = () => void this.copyCode();
    this.clear.onclick = () => this.begin([]);
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
    this.begin(this.turns);
    void this.suggest();
  }

  /** The conversation as the notebook keeps it. */
  get json(): Record<string, unknown> {
    return chatJson({ ...this.bundle, turns: this.turns });
  }

  get current(): ChatBundle {
    return { ...this.bundle, turns: this.turns };
  }

  dispose(): void {
    this.writing?.abort();
    clearTimeout(this.timer);
    this.node.remove();
  }

  private begin(turns: readonly ChatTurn[]): void {
    this.turns = [...turns];
    this.votes = turns.map(() => []);
    this.views = turns.map((turn, place) => this.viewOf(turn, place));
    this.log.replaceChildren(...this.views.map(view => view.node));
    this.setWriting(null);
    this.onChange(this.json);
  }

  private viewOf(turn: ChatTurn, place: number): TurnView {
    return new TurnView(turn, (column, vote) => void this.vote(place, column, vote));
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
    if (typeof read === 'string' || prompt === '' || this.writing !== null) {
      this.tell(typeof read === 'string' ? read : prompt === '' ? 'Write a message first.' : '', true);
      return;
    }
    if (read.models.join() !== this.bundle.models.join() || read.system !== this.bundle.system) {
      this.begin([]); // another model has not read what was said
    }
    this.bundle = { ...this.bundle, ...read };
    this.input.value = '';
    this.tell('', false);
    const turn: ChatTurn = { prompt, answers: read.models.map(model => ({ model, text: '', note: '' })) };
    this.turns = [...this.turns, turn];
    this.votes.push([]);
    const view = this.viewOf(turn, this.turns.length - 1);
    this.views.push(view);
    this.log.append(view.node);
    this.scroll();
    const writing = new AbortController();
    this.setWriting(writing);
    await Promise.all(read.models.map((_, column) => this.answer(this.turns.length - 1, column, writing.signal)));
    if (this.isCurrent(writing)) {
      this.setWriting(null);
      this.draw();
      this.onChange(this.json);
    }
  }

  private async answer(turn: number, column: number, signal: AbortSignal): Promise<void> {
    const { settings, models, system } = this.bundle;
    const body = {
      model: models[column],
      messages: conversation(this.turns, turn, column, system),
      temperature: settings.temperature,
      top_p: settings.topP,
      max_tokens: settings.maxTokens,
      seed: settings.seed
    };
    try {
      const end = await this.asker.ask('samples', body, part => this.change(turn, column, answer => ({ ...answer, text: answer.text + part })), signal);
      this.change(turn, column, answer => ({ ...answer, note: noteOf(end) }));
    } catch (error) {
      const why = signal.aborted ? 'stopped' : error instanceof Error ? error.message : String(error);
      this.change(turn, column, answer => ({ ...answer, note: why }));
    }
  }

  private change(turn: number, column: number, change: (answer: ChatAnswer) => ChatAnswer): void {
    this.turns = this.turns.map((one, place) =>
      place === turn ? { ...one, answers: one.answers.map((answer, i) => (i === column ? change(answer) : answer)) } : one
    );
    this.timer ??= setTimeout(() => this.draw(), REDRAW_MS);
  }

  private draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const last = this.turns.length - 1;
    const turn = this.turns[last];
    if (turn !== undefined) {
      this.views[last]?.show(turn, this.votes[last] ?? []);
      this.scroll();
    }
  }

  private async vote(turn: number, column: number, vote: Vote): Promise<void> {
    const votes = this.turns[turn]?.answers.map((_, i) => (i === column ? vote : (this.votes[turn]?.[i] ?? null))) ?? [];
    this.votes[turn] = votes;
    const one = this.turns[turn];
    if (one !== undefined) {
      this.views[turn]?.show(one, votes);
    }
    const made = preferencesOf(this.turns, turn, votes, this.bundle.system);
    const rows = made.filter(row => !this.kept.has(JSON.stringify(row)));
    if (rows.length === 0) {
      this.tell(vote === null || made.length > 0 ? '' : whyNone(one), false);
      return;
    }
    try {
      const kept = await this.asker.ask('keep', { rows });
      rows.forEach(row => this.kept.add(JSON.stringify(row)));
      const place = isFields(kept) ? text(kept['path']) : '';
      this.tell(`${this.kept.size} ${this.kept.size === 1 ? 'preference is' : 'preferences are'} in ${place}`, false);
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true);
    }
  }

  private async copyCode(): Promise<void> {
    const read = this.form.read();
    const last = Math.max(0, this.turns.length - 1);
    const known = typeof read === 'string' ? this.bundle : read;
    const code = pythonCode(known.models, conversation(this.turns, last, 0, known.system), known.settings);
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

  private isCurrent(writing: AbortController): boolean {
    return this.writing === writing;
  }

  private setWriting(writing: AbortController | null): void {
    this.writing = writing;
    this.send.disabled = writing !== null;
    this.stop.disabled = writing === null;
    setAttribute(this.node, 'data-writing', String(writing !== null));
    setAttribute(this.node, 'data-turns', String(this.turns.length));
  }

  private scroll(): void {
    this.log.scrollTop = this.log.scrollHeight;
  }

  private tell(said: string, isProblem: boolean): void {
    this.said.classList.toggle('jp-twinkle-mod-problem', isProblem);
    setText(this.said, said);
  }
}

/** Why a thumb has made no preference yet. */
function whyNone(turn: ChatTurn | undefined): string {
  const answers = turn?.answers ?? [];
  if (answers.length < 2) {
    return 'A preference needs two answers: name a second model.';
  }
  return answers.every(answer => answer.text === answers[0]?.text)
    ? 'The answers are the same: there is nothing to prefer. A higher temperature or another seed may help.'
    : 'Now one for an answer that is better or worse than this one.';
}

/** `weights of step 40, 12 tokens`. */
function noteOf(end: unknown): string {
  const fields = isFields(end) ? end : {};
  const version = number(fields['version']);
  const from = version === null ? 'base model' : `weights of step ${version}`;
  const cut = fields['finish_reason'] === 'length' ? ', cut at the limit' : '';
  return `${from}, ${number(fields['num_tokens']) ?? 0} tokens${cut}`;
}
