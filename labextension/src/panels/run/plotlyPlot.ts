/**
 * The loss drawn by plotly.js, which is a lazy chunk of the bundle: nothing is loaded before the
 * first panel, and never from elsewhere. The x axis keeps `autorange`, since plotly takes a changed
 * explicit range for a new wish and forgets the reader's zoom.
 */

import type { Point } from '../../wire';
import { lastStepShown, linesOf, type CreateLossPlot, type LossData, type LossPlot, type PlotColours } from './lossPlot';

import { bestOf } from './model';
import { markNotes, markShapes, selectionShape } from './plotlyMarks';

type PlotlyClick = import('plotly.js-basic-dist-min').PlotlyClick;
type Plotly = typeof import('plotly.js-basic-dist-min');

const CONFIG = {
  displaylogo: false,
  displayModeBar: 'hover',
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'toImage', 'autoScale2d'],
  responsive: false,
  showTips: false
};

class PlotlyPlot implements LossPlot {
  private isDrawn = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly plotly: Plotly,
    private readonly onPick: (step: number) => void
  ) {}

  draw(data: LossData, colours: PlotColours): void {
    const drawn = this.plotly.react(this.host, traces(data, colours), layout(data, colours), CONFIG);
    if (!this.isDrawn) {
      this.isDrawn = true;
      void drawn.then(host => host.on('plotly_click', click => this.onClick(click)));
    }
  }

  resize(): void {
    if (this.isDrawn && this.host.clientWidth > 0) {
      this.plotly.Plots.resize(this.host);
    }
  }

  private onClick(click: PlotlyClick): void {
    const step = click.points[0]?.x;
    if (typeof step === 'number') {
      this.onPick(Math.round(step));
    }
  }

  dispose(): void {
    this.plotly.purge(this.host);
  }
}

export const createPlotlyPlot: CreateLossPlot = async (host, onPick) =>
  new PlotlyPlot(host, await import('plotly.js-basic-dist-min'), onPick);

function traces(data: LossData, colours: PlotColours) {
  const lines = linesOf(data);
  const best = bestOf(data.evalPoints);
  const isSmoothed = lines.smoothed.length > 0;
  const hovertemplate = 'step %{x}: %{y:.4f}<extra>%{fullData.name}</extra>';
  return [
    {
      ...axesOf(lines.points),
      name: 'train',
      mode: lines.points.length === 1 ? 'markers' : 'lines',
      opacity: isSmoothed ? 0.4 : 1,
      line: { color: colours.train, width: isSmoothed ? 1 : 2 },
      hovertemplate
    },
    {
      ...axesOf(lines.smoothed),
      name: 'train, smoothed',
      mode: 'lines',
      visible: isSmoothed,
      line: { color: colours.train, width: 2 },
      hoverinfo: 'skip'
    },
    {
      ...axesOf(lines.evalPoints),
      name: 'held-out',
      mode: 'lines+markers',
      line: { color: colours.eval, width: 1.5 },
      marker: { size: 7 },
      hovertemplate
    },
    {
      ...axesOf(best === null ? [] : [best]),
      name: 'best',
      mode: 'markers',
      marker: { size: 13, symbol: 'circle-open', color: colours.eval, line: { width: 2 } },
      hovertemplate
    }
  ];
}

function axesOf(points: readonly Point[]) {
  return { x: points.map(point => point[0]), y: points.map(point => point[1]) };
}

function layout(data: LossData, colours: PlotColours) {
  const axis = {
    automargin: true,
    gridcolor: colours.grid,
    zeroline: false,
    linecolor: colours.grid,
    tickfont: { color: colours.muted }
  };
  const marks = data.marks ?? [];
  const selected = data.selected ?? null;
  return {
    shapes: [
      ...markShapes(marks, colours),
      ...(selected === null ? [] : [selectionShape(selected, colours.train)])
    ],
    annotations: markNotes(marks, colours.muted, lastStepShown(data)),
    uirevision: 'run',
    autosize: true,
    margin: { l: 44, r: 12, t: 12, b: 36 },
    showlegend: false,
    hovermode: 'closest',
    dragmode: 'zoom',
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { color: colours.text, size: 11 },
    hoverlabel: {
      bgcolor: colours.background,
      bordercolor: colours.grid,
      font: { color: colours.text }
    },
    modebar: { color: colours.muted, activecolor: colours.text, bgcolor: 'rgba(0,0,0,0)' },
    xaxis: {
      ...axis,
      showgrid: false,
      title: { text: 'step', font: { color: colours.muted, size: 11 }, standoff: 4 },
      autorangeoptions: { include: [0, lastStepShown(data)] },
      tickformat: ',d'
    },
    yaxis: { ...axis }
  };
}
