/** One model's answers: a bubble a turn, with thumbs below it. */

import type { ChatTurn } from '../../asking';
import { element, setAttribute, setText } from '../dom';
import { canBePreferred, type Vote } from './preferences';

const NOT_WHOLE = 'Only whole answers are compared';

interface Bubble {
  readonly node: HTMLElement;
  readonly text: HTMLElement;
  readonly note: HTMLElement;
  readonly up: HTMLButtonElement;
  readonly down: HTMLButtonElement;
}

export class TurnView {
  readonly node: HTMLElement;
  private readonly bubbles: readonly Bubble[];

  constructor(turn: ChatTurn, onVote: (column: number, vote: Vote) => void) {
    this.bubbles = turn.answers.map((answer, column) => bubble(answer.model, vote => onVote(column, vote)));
    this.node = element(
      'div',
      'jp-twinkle-turn',
      {},
      element('div', 'jp-twinkle-asked', {}, turn.prompt),
      element('div', 'jp-twinkle-answers', {}, ...this.bubbles.map(one => one.node))
    );
    this.show(turn, []);
  }

  show(turn: ChatTurn, votes: readonly Vote[]): void {
    this.bubbles.forEach((one, column) => {
      const answer = turn.answers[column];
      setText(one.text, answer?.text ?? '');
      setText(one.note, answer?.note ?? '');
      one.node.classList.toggle('jp-twinkle-mod-writing', (answer?.note ?? '') === '');
      allow([one.up, one.down], canBePreferred(answer));
      setAttribute(one.up, 'aria-pressed', String(votes[column] === 'up'));
      setAttribute(one.down, 'aria-pressed', String(votes[column] === 'down'));
    });
  }
}

function bubble(model: string, onVote: (vote: Vote) => void): Bubble {
  const text = element('div', 'jp-twinkle-answer');
  const note = element('span', 'jp-twinkle-answer-step');
  const up = thumb('👍', `The answer of ${model} is good`, 'vote-up');
  const down = thumb('👎', `The answer of ${model} is bad`, 'vote-down');
  up.onclick = () => onVote(up.getAttribute('aria-pressed') === 'true' ? null : 'up');
  down.onclick = () => onVote(down.getAttribute('aria-pressed') === 'true' ? null : 'down');
  const node = element(
    'div',
    'jp-twinkle-bubble',
    { 'data-model': model },
    element('div', 'jp-twinkle-bubble-model', {}, model),
    text,
    element('div', 'jp-twinkle-bubble-foot', {}, note, up, down)
  );
  return { node, text, note, up, down };
}

function allow(thumbs: readonly HTMLButtonElement[], isAllowed: boolean): void {
  for (const one of thumbs) {
    one.disabled = !isAllowed;
    setAttribute(one, 'title', isAllowed ? (one.getAttribute('aria-label') ?? '') : NOT_WHOLE);
  }
}

function thumb(sign: string, label: string, action: string): HTMLButtonElement {
  return element(
    'button',
    'jp-twinkle-button jp-twinkle-thumb',
    { type: 'button', 'aria-label': label, title: label, 'data-action': action, 'aria-pressed': 'false' },
    sign
  );
}
