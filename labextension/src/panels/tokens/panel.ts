/**
 * The panel of a row as tokens: the ribbon, and the settings that change it. It knows neither
 * JupyterLab nor the kernel.
 */

import { parseTokenView, withLogprobsOf, type RowFault, type TokenView, type TokensBundle } from '../../asking';
import type { Asker } from '../asker';
import { button } from '../button';
import { element, setAttribute, setText } from '../dom';
import { entry, keepKeys, labelled, onEnter } from '../entry';
import type { Disposable } from '../transport';
import { Ribbon } from './ribbon';
import { shadingsOf, type Shading } from './shading';

type LegendEntry = readonly [className: string, label: string, style?: string];

const ROLES: readonly LegendEntry[] = ['system', 'user', 'assistant', 'tool'].map(role => [`jp-twinkle-role-${role}`, role]);
const STANDINGS: readonly LegendEntry[] = [
  ['jp-twinkle-mod-learned', 'learned'],
  ['jp-twinkle-mod-special', 'special'],
  ['jp-twinkle-mod-cut', 'cut']
];
const CHANGES: readonly LegendEntry[] = [
  ['jp-twinkle-mod-shaded', 'more likely now', shadeStyle('success')],
  ['jp-twinkle-mod-shaded', 'less likely now', shadeStyle('error')]
];
const SURPRISES: readonly LegendEntry[] = [['jp-twinkle-mod-shaded', 'unlikely', shadeStyle('train')]];

function shadeStyle(hue: string): string {
  return `--jp-twinkle-shade: var(--jp-twinkle-${hue}); --jp-twinkle-strength: 45%`;
}

function isShading(name: string): name is Shading {
  return name === 'role' || name === 'adapter' || name === 'base' || name === 'change';
}

export class TokensPanel implements Disposable {
  readonly node: HTMLElement;
  private readonly counts = element('span', 'jp-twinkle-message', { role: 'status' });
  private readonly rule = element('select', 'jp-twinkle-entry', { 'data-entry': 'loss-mask' });
  private readonly length = entry('max-length', 'numeric');
  private readonly shading = element('select', 'jp-twinkle-entry', { 'data-entry': 'shading' });
  private readonly shadingField = labelled('Colours', this.shading);
  private readonly problem = element('div', 'jp-twinkle-command-error', { role: 'alert' });
  private readonly faults = element('ul', 'jp-twinkle-faults', { 'aria-label': 'What is wrong with this row' });
  private readonly legend = element('div', 'jp-twinkle-legend', { 'aria-label': 'What the colours say', role: 'note' });
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
    this.rule.onkeydown = keepKeys;
    onEnter(this.length, () => void this.ask());
    this.shading.onchange = () => this.showShading();
    this.shading.onkeydown = keepKeys;
    this.length.placeholder = 'no limit';
    const title = element('span', 'jp-twinkle-title', {}, bundle.title);
    const settings = element(
      'div',
      'jp-twinkle-steer-row',
      {},
      labelled('Loss mask', this.rule),
      labelled('Max length', this.length, apply),
      this.shadingField
    );
    this.node = element(
      'section',
      'jp-twinkle-panel jp-twinkle-tokens',
      { role: 'region', 'aria-label': `${bundle.title} as tokens`, 'data-twinkle-tokens': '' },
      element('div', 'jp-twinkle-head', {}, title, this.counts),
      settings,
      this.problem,
      this.faults,
      this.legend,
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
    const shadings = shadingsOf(view);
    const chosen = this.shading.value;
    this.shadingField.hidden = shadings.length === 0;
    this.shading.replaceChildren(...shadings.map(([name, label]) => element('option', '', { value: name }, label)));
    if (shadings.length > 0) {
      this.shading.value = shadings.some(([name]) => name === chosen) ? chosen : (shadings[1] ?? ['role'])[0];
    }
    this.showShading();
  }

  private showShading(): void {
    const shading = isShading(this.shading.value) ? this.shading.value : 'role';
    setAttribute(this.node, 'data-shading', shading);
    this.ribbon.shade(shading);
    const entries = [...(shading === 'role' ? ROLES : shading === 'change' ? CHANGES : SURPRISES), ...STANDINGS];
    this.legend.replaceChildren(
      ...entries.map(([name, label, style]) => element('span', `jp-twinkle-token ${name}`, style === undefined ? {} : { style }, label))
    );
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
      tools: this.bundle.tools,
      reasoning: this.bundle.reasoning,
      base_model: this.view.baseModel,
      loss_mask: this.rule.value,
      max_length: length === '' ? null : Number(length)
    };
    try {
      const found = parseTokenView(await this.asker.ask('tokens', body));
      if (number === this.asked && found !== null) {
        const view = withLogprobsOf(found, this.view);
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
