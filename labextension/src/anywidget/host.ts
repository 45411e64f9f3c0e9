/**
 * The anywidget module: the same panel in VS Code, Colab and plain notebooks. Its model has the
 * traits `run_id`, `adapter` and `snapshot`. Small by intent: it travels in every output.
 */

import { parseRunBundle } from '../bundleParsing';
import { RunPanel } from '../panels/run/panel';
import { createSvgPlot } from '../panels/chart/svgPlot';
import { CommTransport, type WidgetModel } from './commTransport';

interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
}

function render({ model, el }: RenderContext): () => void {
  const bundle = parseRunBundle({
    run_id: model.get('run_id'),
    adapter: model.get('adapter'),
    snapshot: model.get('snapshot')
  });
  if (bundle === null) {
    el.textContent = 'This output names no run.';
    return () => undefined;
  }
  const panel = new RunPanel({
    runId: bundle.run_id,
    adapter: bundle.adapter,
    snapshot: bundle.snapshot,
    transport: new CommTransport(model),
    createPlot: createSvgPlot
  });
  el.append(panel.node);
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  const recolour = (): void => panel.recolour();
  const classes = new MutationObserver(recolour);
  classes.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-light'] });
  scheme.addEventListener('change', recolour);
  return () => {
    classes.disconnect();
    scheme.removeEventListener('change', recolour);
    panel.dispose();
  };
}

export default { render };
