/** A chart drawn by our own small SVG: for hosts where a drawing library would be too much to send. */

import { noteDrawn, type Chart, type CreatePlot, type Plot, type PlotColours, type PlotEvents, type PlotHost } from './chart';
import type { Size } from '../svgFrame';
import { chartSvg, stepAt } from './chartSvg';

const MIN_WIDTH = 240;

class SvgPlot implements Plot {
  private last: { readonly chart: Chart; readonly colours: PlotColours } | null = null;
  /** Kept until the next `resize`: to ask for it after a change makes the browser lay out the page. */
  private known: Size | null = null;

  constructor(
    private readonly host: PlotHost,
    private readonly events: PlotEvents
  ) {
    host.addEventListener('click', this.onClick);
    host.addEventListener('pointermove', this.onMove);
    host.addEventListener('pointerleave', this.onLeave);
  }

  draw(chart: Chart, colours: PlotColours): void {
    this.last = { chart, colours };
    noteDrawn(this.host, chart);
    this.host.innerHTML = chartSvg(chart, colours, this.size);
  }

  resize(): void {
    this.known = null;
    if (this.last !== null) {
      this.draw(this.last.chart, this.last.colours);
    }
  }

  dispose(): void {
    this.host.removeEventListener('click', this.onClick);
    this.host.removeEventListener('pointermove', this.onMove);
    this.host.removeEventListener('pointerleave', this.onLeave);
    this.host.replaceChildren();
  }

  private get size(): Size {
    if (this.known === null) {
      const { clientWidth, clientHeight } = this.host;
      this.known = { width: Math.max(MIN_WIDTH, clientWidth), height: clientHeight };
    }
    return this.known;
  }

  private stepOf(event: MouseEvent): { readonly step: number; readonly left: number } | null {
    if (this.last === null) {
      return null;
    }
    const left = event.clientX - this.host.getBoundingClientRect().left;
    return { step: stepAt(this.last.chart.last, this.size.width, left), left };
  }

  private readonly onClick = (event: MouseEvent): void => {
    const at = this.stepOf(event);
    if (at !== null) {
      this.events.onPick(at.step);
    }
  };

  private readonly onMove = (event: MouseEvent): void => this.events.onHover(this.stepOf(event));

  private readonly onLeave = (): void => this.events.onHover(null);
}

export const createSvgPlot: CreatePlot = (host, events) => Promise.resolve(new SvgPlot(host, events));
