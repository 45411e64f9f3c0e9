/** Arguments of commands: as menus, the palette and other extensions give them. */

import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

export function argument(args: ReadonlyPartialJSONObject, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : '';
}

export function numberArgument(args: ReadonlyPartialJSONObject, name: string): number | null {
  const value = args[name];
  return typeof value === 'number' ? value : null;
}

/** What a command takes, in the words of a JSON schema. */
export function described(properties: Readonly<Record<string, string>>) {
  const entries = Object.entries(properties).map(([name, description]) => [name, { type: 'string', description }]);
  return { args: { type: 'object', properties: Object.fromEntries(entries) as Record<string, { type: string; description: string }> } } as const;
}
