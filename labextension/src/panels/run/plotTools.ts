/** Which curve is shown, on which scale, and how smooth: a row above the plot. */

import { element } from '../dom';
import { keepKeys } from '../entry';
import { CURVE_NAMES, FIRST_SETTINGS, type CurveName, type PlotSettings } from './lossChart';

export class PlotTools {
  readonly node = element('div', 'jp-twinkle-tools');
  private readonly curve = element('select', 'jp-twinkle-entry', { 'aria-label': 'Curve', 'data-entry': 'curve' });
  private readonly log = element('input', 'jp-twinkle-check', { type: 'checkbox', 'data-entry': 'log' });
  private readonly smoothing = element('input', 'jp-twinkle-smoothing', {
    type: 'range',
    min: '0',
    max: '20',
    value: String(20 * FIRST_SETTINGS.smoothing),
    'data-entry': 'smoothing'
  });

  /** @param isMany Several runs: the loss is what they have in common. */
  constructor(onChange: () => void, isMany = false) {
    for (const [name, label] of Object.entries(CURVE_NAMES)) {
      this.curve.append(element('option', '', { value: name }, label));
    }
    this.curve.onchange = this.log.onchange = this.smoothing.oninput = onChange;
    this.node.onkeydown = keepKeys;
    this.node.append(
      ...(isMany ? [] : [this.curve]),
      element('label', 'jp-twinkle-tool', {}, this.log, 'Log scale'),
      element('label', 'jp-twinkle-tool', {}, 'Smoothing', this.smoothing)
    );
  }

  get settings(): PlotSettings {
    const chosen = this.curve.value;
    return {
      curve: isCurveName(chosen) ? chosen : 'loss',
      isLog: this.log.checked,
      smoothing: Number(this.smoothing.value) / 20
    };
  }
}

function isCurveName(name: string): name is CurveName {
  return name in CURVE_NAMES;
}
