/** The loss drawn by our own small SVG: for hosts where plotly.js would be too much to send. */

import type { CreateLossPlot, LossData, LossPlot, PlotColours } from './lossPlot';
import { lossSvg } from './lossSvg';

class SvgPlot implements LossPlot {
  private last: { readonly data: LossData; readonly colours: PlotColours } | null = null;

  constructor(private readonly host: HTMLElement) {}

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
    this.host.replaceChildren();
  }
}

export const createSvgPlot: CreateLossPlot = host => Promise.resolve(new SvgPlot(host));
