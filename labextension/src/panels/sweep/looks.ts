/** How each member's curve looks; it stays so whatever its rank becomes. */

import type { Sweep } from '../../sweepWire';

export interface Look {
  readonly colour: string;
  /** As SVG writes it; empty: without gaps. */
  readonly dash: string;
}

/** Told apart by people who see colours differently, and on light and dark (Tol, bright). */
const COLOURS = ['#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377', '#999933', '#ee7733'];
const DASHES = ['', '6 3', '2 3'];

/** The look of the curve of this number. */
export function lookOf(place: number): Look {
  return {
    colour: COLOURS[place % COLOURS.length] ?? 'currentColor',
    dash: DASHES[Math.floor(place / COLOURS.length) % DASHES.length] ?? ''
  };
}

/** Looks by run id. */
export function looksOf(sweep: Sweep): ReadonlyMap<string, Look> {
  return new Map(sweep.members.map((member, place) => [member.runId, lookOf(place)]));
}
