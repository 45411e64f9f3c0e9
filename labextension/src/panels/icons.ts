/** One drawing a state, so that a state is never told by its colour alone. */

import type { RunState } from '../wire';

const PATHS: Readonly<Record<RunState, string>> = {
  queued: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8zM7.2 4.5h1.6v3.2l2.3 1.4-.8 1.3-3.1-1.9z',
  running: 'M4 2.5v11l9-5.5z',
  paused: 'M4 3h3v10H4zM9 3h3v10H9z',
  interrupted: 'M8 1 15.5 14.5H.5zM7.2 6v4.2h1.6V6zm0 5.2v1.6h1.6v-1.6z',
  finished: 'M6.3 12.6 1.9 8.2l1.5-1.5 2.9 2.9 6.3-6.3 1.5 1.5z',
  stopped: 'M3.5 3.5h9v9h-9z',
  failed: 'M4 2.6 8 6.6l4-4L13.4 4l-4 4 4 4-1.4 1.4-4-4-4 4L2.6 12l4-4-4-4z'
};

const SVG = 'http://www.w3.org/2000/svg';

export function stateIcon(): { readonly node: SVGElement; show(state: RunState): void } {
  const node = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  node.setAttribute('viewBox', '0 0 16 16');
  node.setAttribute('class', 'jp-twinkle-state-icon');
  node.setAttribute('aria-hidden', 'true');
  path.setAttribute('fill', 'currentColor');
  path.setAttribute('fill-rule', 'evenodd');
  node.append(path);
  return { node, show: state => path.setAttribute('d', PATHS[state]) };
}
