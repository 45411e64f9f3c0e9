/** The loss drawn by our own small SVG: for hosts where plotly.js would be too much to send. */

import type { CreateLossPlot, LossData, LossPlot, PlotColours } from './lossPlot';
import { lossSvg, stepAt } from './lossSvg';

class SvgPlot implements LossPlot {
  private last: { readonly data: LossData; readonly colours: PlotColours } | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly onPick: (step: number) => void
  ) {
    host.addEventListener('click', this.onClick);
  }

  draw(data: LossData, colours: PlotColours): void {
    this.last = { data, colours };
    const size = { width: Math.max(240, this.host.clientWidth), height: this.host.clientHeight };
    this.host.innerHTML = lossSvg(data, colours, size);
  }

  resize(): void {
    if (this.last !== null) {
      this.draw(this.last.data, this.last.colours);
    }
  }

  dispose(): void {
    this.host.removeEventListener('click', this.onClick);
    this.host.replaceChildren();
  }

  private readonly onClick = (event: MouseEvent): void => {
    if (this.last !== null) {
      const x = event.clientX - this.host.getBoundingClientRect().left;
      this.onPick(stepAt(this.last.data, Math.max(240, this.host.clientWidth), x));
    }
  };
}

export const createSvgPlot: CreateLossPlot = (host, onPick) => Promise.resolve(new SvgPlot(host, onPick));
