/** A chat as a program that asks the same. */

import type { ChatSettings, Message } from '../../asking';

export function pythonCode(models: readonly string[], messages: readonly Message[], settings: ChatSettings): string {
  const lines = messages.map(message => `    {"role": ${quoted(message['role'])}, "content": ${quoted(message['content'])}},`);
  const { temperature, topP, maxTokens, seed } = settings;
  return [
    'from twinkle_jupyter.client.client import connect',
    '',
    'messages = [',
    ...lines,
    ']',
    'with connect() as client:',
    `    for model in ${JSON.stringify(models)}:`,
    '        answer = client.sample(',
    `            model, messages, temperature=${temperature}, top_p=${topP}, max_tokens=${maxTokens}, seed=${seed}`,
    '        )',
    '        print(model, "".join(part.text for part in answer), sep=": ")',
    ''
  ].join('\n');
}

/** JSON's strings are Python's, too. */
function quoted(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value : '');
}
