/** Shading of tokens by their probability: with the adapter, with the base model, and what changed. */

import { hasLogprobs, type Token, type TokenView } from '../../asking';

export type Shading = 'role' | 'adapter' | 'base' | 'change';

/** What a token is shaded with: a CSS variable's name, and how strong from 0 to 1. */
export interface Shade {
  readonly hue: 'train' | 'success' | 'error';
  readonly strength: number;
}

/** Nats at which a shade is as strong as it gets: a probability of 1 in 150. */
const FULL = 5;

/** The ways of shading that a row's tokens have numbers for; none where they have no numbers. */
export function shadingsOf(view: TokenView): readonly (readonly [Shading, string])[] {
  if (!hasLogprobs(view)) {
    return [];
  }
  const name = view.adapter || 'the adapter';
  const hasAdapter = view.tokens.some(token => token.logprob !== null);
  const hasBase = view.tokens.some(token => token.baseLogprob !== null);
  return [
    ['role', 'role'],
    ...(hasAdapter && hasBase ? [['change', `what ${name} changed`] as const] : []),
    ...(hasAdapter ? [['adapter', `surprise to ${name}`] as const] : []),
    ...(hasBase ? [['base', 'surprise to the base model'] as const] : [])
  ];
}

/** How a token is shaded; null: not at all. */
export function shadeOf(token: Token, shading: Shading): Shade | null {
  const { logprob, baseLogprob } = token;
  if (shading === 'change') {
    if (logprob === null || baseLogprob === null) {
      return null;
    }
    const change = logprob - baseLogprob;
    return { hue: change >= 0 ? 'success' : 'error', strength: share(Math.abs(change)) };
  }
  const known = shading === 'adapter' ? logprob : shading === 'base' ? baseLogprob : null;
  return known === null ? null : { hue: 'train', strength: share(-known) };
}

/** `log-probability −0.02 with pirate, −4.61 before: 99 times as likely`; empty where unknown. */
export function logprobText({ logprob, baseLogprob }: Token, adapter: string): string {
  const name = adapter || 'the adapter';
  if (logprob === null) {
    return baseLogprob === null ? '' : `log-probability ${signed(baseLogprob)} with the base model`;
  }
  const now = `log-probability ${signed(logprob)} with ${name}`;
  return baseLogprob === null ? now : `${now}, ${signed(baseLogprob)} before: ${timesOf(logprob - baseLogprob)}`;
}

function timesOf(change: number): string {
  const times = Math.exp(Math.abs(change));
  if (times < 1.05) {
    return 'as likely';
  }
  const much = times >= 1e6 ? 'a million times' : `${times < 10 ? times.toFixed(1) : Math.round(times)} times`;
  return `${much}${times >= 1e6 ? ' or more' : ''} ${change > 0 ? 'as likely' : 'less likely'}`;
}

function share(nats: number): number {
  return Math.min(1, Math.max(0, nats) / FULL);
}

function signed(value: number): string {
  return value.toFixed(2).replace('-', '\u2212').replace('\u22120.00', '0.00');
}
