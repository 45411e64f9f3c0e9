/** What the probes answer: each prompt with its first and its newest answer. */

import { element, setAttribute, setText } from './dom';
import type { ProbeView } from './model';

interface Row {
  readonly node: HTMLElement;
  readonly prompt: HTMLElement;
  readonly before: HTMLElement;
  readonly step: HTMLElement;
  readonly answer: HTMLElement;
}

export class ProbeList {
  readonly node = element('div', 'jp-twinkle-probes', { hidden: '' });
  private readonly rows: Row[] = [];

  constructor() {
    this.node.append(element('div', 'jp-twinkle-probes-title', {}, 'Answers while it learns'));
  }

  show(probes: readonly ProbeView[]): void {
    this.node.hidden = probes.length === 0;
    while (this.rows.length > probes.length) {
      this.rows.pop()?.node.remove();
    }
    probes.forEach((probe, place) => this.showProbe(probe, place));
  }

  private showProbe(probe: ProbeView, place: number): void {
    const row = this.rows[place] ?? this.addRow();
    setAttribute(row.node, 'data-probe-index', String(probe.index));
    setAttribute(row.node, 'data-probe-step', String(probe.newest.step));
    setText(row.prompt, probe.prompt);
    setText(row.step, probe.newest.step === 0 ? 'base model' : `step ${probe.newest.step}`);
    if (row.answer.textContent !== probe.newest.answer) {
      row.answer.textContent = probe.newest.answer;
      row.answer.classList.toggle('jp-twinkle-fresh', probe.before !== null);
      row.answer.onanimationend = () => row.answer.classList.remove('jp-twinkle-fresh');
    }
    setText(row.before, probe.before?.answer ?? '');
    row.node.classList.toggle('jp-twinkle-mod-compared', probe.before !== null);
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
    const row = { node, prompt, before, step, answer };
    this.rows.push(row);
    this.node.append(node);
    return row;
  }
}
