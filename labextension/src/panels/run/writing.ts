/** Answers that are being written: what has come of them so far. */

import type { ProbePartEvent } from '../../wire';

export interface Writing {
  readonly index: number;
  readonly step: number;
  readonly prompt: string;
  readonly text: string;
}

/** Take what came new; a part of another step begins another answer. */
export function appendPart(writing: readonly Writing[], part: ProbePartEvent): Writing[] {
  const { index, step, prompt } = part;
  const known = writing.find(one => one.index === index && one.step === step);
  return [...endWriting(writing, index), { index, step, prompt, text: (known?.text ?? '') + part.text }];
}

/** The answer of a probe has come, or comes no more. */
export function endWriting(writing: readonly Writing[], index: number): Writing[] {
  return writing.filter(one => one.index !== index);
}
