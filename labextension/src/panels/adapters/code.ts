/** An adapter as a program that asks it, and that loads it without the service. */

import type { AdapterLine } from '../../adaptersWire';

export function adapterCode(one: AdapterLine): string {
  const service = [
    'from twinkle_jupyter import connect',
    '',
    `adapter = connect().adapter(${JSON.stringify(one.name)})`,
    'print(adapter.sample("Who are you?"))',
    ''
  ];
  const peft = [
    '# Without the service:',
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM',
    '',
    `base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(one.baseModel)})`,
    `model = PeftModel.from_pretrained(base, ${JSON.stringify(one.folder)})`,
    ''
  ];
  return [...service, ...(one.folder === '' ? [] : ['', ...peft])].join('\n');
}
