/**
 * What the probes answer: each prompt with its first answer and the one at a step, which is the
 * newest until a person goes back along the run.
 */

import { element, setAttribute, setText } from '../dom';
import { keepKeys } from '../entry';
import { answerAt, answerSteps, changedPieces, type Answer, type ProbeView } from './answers';
import type { Writing } from './writing';

interface Row {
  readonly node: HTMLElement;
  readonly prompt: HTMLElement;
  readonly before: HTMLElement;
  readonly step: HTMLElement;
  readonly answer: HTMLElement;
  /** What is shown, and what it was compared with. */
  said: Answer | null;
  last: Answer | null;
}

export class ProbeList {
  readonly node = element('div', 'jp-twinkle-probes', { hidden: '' });
  private readonly rows: Row[] = [];
  private readonly slider = element('input', 'jp-twinkle-scrub', { type: 'range', min: '0', 'aria-label': 'Step of the answers' });
  private readonly place = element('span', 'jp-twinkle-scrub-step');
  private readonly live = element('button', 'jp-twinkle-button', { type: 'button', 'data-action': 'live' }, 'Newest');
  private readonly scrub = element('div', 'jp-twinkle-scrub-row', {}, this.slider, this.place, this.live);
  private steps: readonly number[] = [];

  /** `onSelect` is told the step to show; null: the newest. */
  constructor(onSelect: (step: number | null) => void) {
    this.slider.oninput = () => {
      const place = Number(this.slider.value);
      onSelect(place >= this.steps.length - 1 ? null : (this.steps[place] ?? null));
    };
    this.slider.onkeydown = keepKeys;
    this.live.onclick = () => onSelect(null);
    const title = element('div', 'jp-twinkle-probes-title', {}, 'Answers while it learns');
    this.node.append(element('div', 'jp-twinkle-probes-head', {}, title, this.scrub));
  }

  /** `writing` is shown in the place of the newest answers. */
  show(probes: readonly ProbeView[], writing: readonly Writing[], selected: number | null): void {
    const all = withFirst(probes, writing);
    this.node.hidden = all.length === 0;
    this.showScrub(probes, selected);
    while (this.rows.length > all.length) {
      this.rows.pop()?.node.remove();
    }
    all.forEach((probe, place) => {
      const row = this.rows[place] ?? this.addRow();
      const written = selected === null ? writing.find(one => one.index === probe.index) : undefined;
      row.node.classList.toggle('jp-twinkle-mod-writing', written !== undefined);
      this.showProbe(row, probe, selected);
      if (written !== undefined) {
        showWriting(row, written);
      }
    });
  }

  private showScrub(probes: readonly ProbeView[], selected: number | null): void {
    this.steps = answerSteps(probes);
    this.scrub.hidden = this.steps.length < 2;
    const last = this.steps.length - 1;
    const before = this.steps.filter(step => step <= (selected ?? Infinity)).length - 1;
    const place = selected === null ? last : Math.max(0, before);
    const step = this.steps[place] ?? 0;
    this.slider.max = String(last);
    this.slider.value = String(place);
    const said = stepWords(step);
    setAttribute(this.slider, 'aria-valuetext', selected === null ? `${said}, the newest` : said);
    setText(this.place, said);
    this.live.disabled = selected === null;
  }

  private showProbe(row: Row, probe: ProbeView, selected: number | null): void {
    const { said, last } = answerAt(probe, selected ?? Infinity);
    const before = probe.before !== null && said.step > probe.before.step ? probe.before : null;
    setAttribute(row.node, 'data-probe-index', String(probe.index));
    setAttribute(row.node, 'data-probe-step', String(said.step));
    setText(row.prompt, probe.prompt);
    setText(row.step, stepWords(said.step));
    showAnswer(row, said, last, selected === null && before !== null);
    setText(row.before, before?.answer ?? '');
    row.node.classList.toggle('jp-twinkle-mod-compared', before !== null);
  }

  private addRow(): Row {
    const prompt = element('div', 'jp-twinkle-prompt');
    const before = element('div', 'jp-twinkle-before');
    const step = element('span', 'jp-twinkle-answer-step');
    const answer = element('div', 'jp-twinkle-answer');
    const node = element(
      'div',
      'jp-twinkle-probe',
      {},
      prompt,
      element('span', 'jp-twinkle-answer-step jp-twinkle-before-label', {}, 'before'),
      before,
      step,
      answer
    );
    const row: Row = { node, prompt, before, step, answer, said: null, last: null };
    this.rows.push(row);
    this.node.append(node);
    return row;
  }
}

/** What has come of an answer; the whole of it is drawn anew when it is there. */
function showWriting(row: Row, writing: Writing): void {
  setText(row.step, stepWords(writing.step));
  setText(row.answer, writing.text);
  row.said = null;
}

/** The probes, and those whose very first answer is being written. */
function withFirst(probes: readonly ProbeView[], writing: readonly Writing[]): readonly ProbeView[] {
  const first = writing.filter(one => probes.every(probe => probe.index !== one.index));
  if (first.length === 0) {
    return probes;
  }
  const begun = first.map(({ index, prompt, step }) => {
    const newest = { step, answer: '' };
    return { index, prompt, newest, before: null, history: [newest] };
  });
  return [...probes, ...begun].sort((a, b) => a.index - b.index);
}

/** A new answer flashes while a person looks at the newest. */
function showAnswer(row: Row, said: Answer, last: Answer | null, mayFlash: boolean): void {
  const isNew = row.said?.answer !== said.answer;
  if (isNew || row.last?.answer !== last?.answer) {
    row.answer.replaceChildren(...piecesOf(said, last));
    row.answer.classList.toggle('jp-twinkle-fresh', isNew && mayFlash);
    row.answer.onanimationend = () => row.answer.classList.remove('jp-twinkle-fresh');
  }
  row.said = said;
  row.last = last;
}

function stepWords(step: number): string {
  return step === 0 ? 'base model' : `step ${step}`;
}

/** An answer with what is new in it marked; the first one has nothing to be compared with. */
function piecesOf(said: Answer, last: Answer | null): (Node | string)[] {
  if (last === null) {
    return [said.answer];
  }
  let wasNew = false;
  return changedPieces(said.answer, last.answer).flatMap(({ text, isNew }) => {
    const space = wasNew || !isNew ? '' : (/^\s*/.exec(text)?.[0] ?? '');
    wasNew = isNew;
    return isNew ? [space, element('mark', 'jp-twinkle-changed', {}, text.slice(space.length))] : [text];
  });
}
