/** Which document an output is in. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** JupyterLab's resolver knows its document; the interface does not promise it. */
export function pathOf(resolver: IRenderMime.IResolver | null): string {
  return resolver !== null && 'path' in resolver && typeof resolver.path === 'string'
    ? resolver.path
    : '';
}
