/**
 * The panel of a row as tokens: the ribbon, and the settings that change it. It knows neither
 * JupyterLab nor the kernel.
 */

import { parseTokenView, type RowFault, type TokenView, type TokensBundle } from '../../asking';
import type { Asker } from '../asker';
import { button } from '../button';
import { element, setAttribute, setText } from '../dom';
import { entry, labelled, onEnter } from '../entry';
import type { Disposable } from '../transport';
import { Ribbon } from './ribbon';

const LEGEND: readonly (readonly [className: string, label: string])[] = [
  ['jp-twinkle-role-system', 'system'],
  ['jp-twinkle-role-user', 'user'],
  ['jp-twinkle-role-assistant', 'assistant'],
  ['jp-twinkle-role-tool', 'tool'],
  ['jp-twinkle-mod-learned', 'learned'],
  ['jp-twinkle-mod-special', 'special'],
  ['jp-twinkle-mod-cut', 'cut']
];

export class TokensPanel implements Disposable {
  readonly node: HTMLElement;
  private readonly counts = element('span', 'jp-twinkle-message', { role: 'status' });
  private readonly rule = element('select', 'jp-twinkle-entry', { 'data-entry': 'loss-mask' });
  private readonly length = entry('max-length', 'numeric');
  private readonly problem = element('div', 'jp-twinkle-command-error', { role: 'alert' });
  private readonly faults = element('ul', 'jp-twinkle-faults', { 'aria-label': 'What is wrong with this row' });
  private readonly ribbon = new Ribbon();
  private view: TokenView;
  private asked = 0;

  constructor(
    private readonly bundle: TokensBundle,
    private readonly asker: Asker,
    private readonly onChange: (view: TokenView) => void
  ) {
    this.view = bundle.view;
    const apply = button('apply', 'Apply');
    apply.onclick = () => void this.ask();
    this.rule.onchange = () => void this.ask();
    this.rule.onkeydown = event => event.stopPropagation();
    onEnter(this.length, () => void this.ask());
    this.length.placeholder = 'no limit';
    const title = element('span', 'jp-twinkle-title', {}, bundle.title);
    const settings = element(
      'div',
      'jp-twinkle-steer-row',
      {},
      labelled('Loss mask', this.rule),
      labelled('Max length', this.length, apply)
    );
    const legend = LEGEND.map(([name, label]) => element('span', `jp-twinkle-token ${name}`, {}, label));
    this.node = element(
      'section',
      'jp-twinkle-panel jp-twinkle-tokens',
      { role: 'region', 'aria-label': `${bundle.title} as tokens`, 'data-twinkle-tokens': '' },
      element('div', 'jp-twinkle-head', {}, title, this.counts),
      settings,
      this.problem,
      this.faults,
      element('div', 'jp-twinkle-legend', { 'aria-label': 'What the colours say', role: 'note' }, ...legend),
      this.ribbon.node
    );
    this.show(bundle.view);
  }

  dispose(): void {
    this.asked += 1;
    this.node.remove();
  }

  private show(view: TokenView): void {
    this.view = view;
    this.rule.replaceChildren(
      ...view.lossMasks.map(rule => element('option', '', { value: rule }, rule.replaceAll('-', ' ')))
    );
    this.rule.value = view.lossMask;
    this.length.value = view.maxLength === null ? '' : String(view.maxLength);
    setText(this.counts, countsOf(view));
    setAttribute(this.node, 'data-learned', String(view.numLearned));
    setAttribute(this.node, 'data-tokens', String(view.tokens.length));
    this.faults.hidden = view.faults.length === 0;
    this.faults.replaceChildren(...view.faults.map(fault => this.fault(fault)));
    this.ribbon.show(view);
  }

  private fault(fault: RowFault): HTMLElement {
    const word = element('b', '', {}, fault.isRefusal ? 'Refused: ' : 'Warning: ');
    const line = element('li', `jp-twinkle-fault${fault.isRefusal ? ' jp-twinkle-mod-problem' : ''}`, {}, word, `${fault.sentence}. `);
    const place = fault.token;
    if (place !== null) {
      const show = button('show-fault', 'Show');
      show.onclick = () => this.ribbon.reveal(place);
      line.append(show);
    }
    return line;
  }

  private async ask(): Promise<void> {
    const length = this.length.value.trim();
    if (length !== '' && !/^[1-9]\d*$/.test(length)) {
      setText(this.problem, `The max length must be a whole number above 0, not “${length}”; empty cuts nothing.`);
      return;
    }
    this.asked += 1;
    const number = this.asked;
    const body = {
      messages: this.bundle.messages,
      base_model: this.view.baseModel,
      loss_mask: this.rule.value,
      max_length: length === '' ? null : Number(length)
    };
    try {
      const view = parseTokenView(await this.asker.ask('tokens', body));
      if (number === this.asked && view !== null) {
        setText(this.problem, '');
        this.show(view);
        this.onChange(view);
      }
    } catch (error) {
      setText(this.problem, error instanceof Error ? error.message : String(error));
    }
  }
}

/** `42 tokens, 17 learned, 5 cut`. */
export function countsOf(view: TokenView): string {
  const cut = view.maxLength === null ? 0 : Math.max(0, view.tokens.length - view.maxLength);
  return `${view.tokens.length} tokens, ${view.numLearned} learned${cut > 0 ? `, ${cut} cut` : ''}`;
}
