/** The forms in which an adapter can be written. */

import type { Schemas } from '../../schemas';
import { element } from '../dom';

export type ExportFormat = Schemas['ExportBody']['format'];

const WORDS: Readonly<Record<ExportFormat, string>> = {
  peft: 'the adapter alone (PEFT, vLLM)',
  merged: 'a whole model (transformers)',
  gguf: 'a whole model in one file (llama.cpp)'
};

export function formatChoice(className: string): HTMLSelectElement {
  const options = Object.entries(WORDS).map(([name, what]) => element('option', '', { value: name }, `${name}: ${what}`));
  return element('select', className, { 'data-entry': 'format' }, ...options);
}

export function chosenFormat(choice: HTMLSelectElement): ExportFormat {
  return choice.value === 'merged' || choice.value === 'gguf' ? choice.value : 'peft';
}
