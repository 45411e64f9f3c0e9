/** What `GET /admin/overview` tells an admin, as the lines that are shown of it. */

import { isFields, list, number, text, type Fields } from '../../fields';
import { formatCount, formatMemory } from '../../panels/format';

export interface UserLine {
  readonly user: string;
  readonly facts: string;
}

export interface Usage {
  readonly users: readonly UserLine[];
  readonly models: readonly UserLine[];
  /** The service rests. */
  readonly isDrained: boolean;
  readonly hasBroadcast: boolean;
}

export function parseUsage(value: unknown): Usage {
  const fields = isFields(value) ? value : {};
  const users = list(fields['users']).filter(isFields);
  const busiest = [...users].sort((a, b) => count(b, 'tokens_per_minute') - count(a, 'tokens_per_minute'));
  return {
    users: busiest.map(one => ({ user: text(one['user']), facts: factsOfUser(one) })),
    models: list(fields['base_models']).filter(isFields).map(one => ({ user: text(one['base_model']), facts: factsOfModel(one) })),
    isDrained: isFields(fields['maintenance']),
    hasBroadcast: isFields(fields['broadcast'])
  };
}

function factsOfUser(one: Fields): string {
  const runs = isFields(one['runs']) ? one['runs'] : {};
  const going = count(runs, 'running') + count(runs, 'queued');
  return [
    `${going} ${going === 1 ? 'run' : 'runs'} going`,
    `${count(one, 'num_active_adapters')} of ${count(one, 'num_adapters')} adapters in slots`,
    `${formatCount(count(one, 'tokens_per_minute'))} tokens a minute`,
    ...(count(one, 'queued_tokens') > 0 ? [`${formatCount(count(one, 'queued_tokens'))} tokens wait`] : []),
    formatMemory(count(one, 'storage_bytes'))
  ].join(' · ');
}

function factsOfModel(one: Fields): string {
  return [
    `${count(one, 'num_active_adapters')} of ${count(one, 'num_slots')} slots`,
    `${formatCount(count(one, 'tokens_per_minute'))} tokens a minute`,
    `${formatCount(count(one, 'queued_ops'))} ${count(one, 'queued_ops') === 1 ? 'request waits' : 'requests wait'}`
  ].join(' · ');
}

function count(fields: Fields, name: string): number {
  return number(fields[name]) ?? 0;
}
