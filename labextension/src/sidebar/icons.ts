/** The extension's own icon, and the small ones on buttons, which take the colour of the text. */

import { LabIcon } from '@jupyterlab/ui-components';

const STARS =
  'M10 3.2l1.9 5.6 5.6 1.9-5.6 1.9-1.9 5.6-1.9-5.6-5.6-1.9 5.6-1.9zM17.8 2l.9 2.5 2.5.9-2.5.9-.9 2.5-.9-2.5-2.5-.9 2.5-.9zM18.6 15.4l.8 2.2 2.2.8-2.2.8-.8 2.2-.8-2.2-2.2-.8 2.2-.8z';

export const twinkleIcon = new LabIcon({
  name: 'twinkle-jupyter:stars',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${STARS}"/></svg>`
});

export const SMALL = {
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  resume: 'M4 2.5v11l9-5.5z',
  stop: 'M3.5 3.5h9v9h-9z',
  more: 'M2 6.6h2.8v2.8H2zM6.6 6.6h2.8v2.8H6.6zM11.2 6.6H14v2.8h-2.8z',
  chat: 'M2 2.5h12v8.5H7.6L4.3 14v-3H2zM3.5 4v5.5h9V4z',
  fork: 'M4 1.5a2 2 0 0 1 .8 3.8v1.4l6.4-1.1a2 2 0 1 1 .3 1.5L4.8 8.3v2.4a2 2 0 1 1-1.6 0V5.3A2 2 0 0 1 4 1.5z',
  remove: 'M5.5 1.5h5v1.3H14v1.5H2V2.8h3.5zM3.2 5.3h9.6l-.8 9.2H4z'
} as const;

const SVG = 'http://www.w3.org/2000/svg';

export function smallIcon(name: keyof typeof SMALL): SVGElement {
  const node = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  node.setAttribute('viewBox', '0 0 16 16');
  node.setAttribute('aria-hidden', 'true');
  path.setAttribute('fill', 'currentColor');
  path.setAttribute('fill-rule', 'evenodd');
  path.setAttribute('d', SMALL[name]);
  node.append(path);
  return node;
}
