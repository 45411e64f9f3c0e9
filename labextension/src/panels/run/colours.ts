/** The theme's colours, resolved to what a drawing library reads (`rgb(…)`, never a variable). */

import type { PlotColours } from '../chart/chart';

export function readColours(root: HTMLElement): PlotColours {
  const probe = document.createElement('span');
  probe.hidden = true;
  root.append(probe);
  const resolve = (name: string): string => {
    probe.style.color = `var(--jp-twinkle-${name})`;
    return getComputedStyle(probe).color;
  };
  const colours: PlotColours = {
    train: resolve('train'),
    eval: resolve('eval'),
    text: resolve('text'),
    muted: resolve('muted'),
    grid: resolve('grid'),
    background: resolve('background')
  };
  probe.remove();
  return colours;
}
