/** What each probe answered along the way: kept by step, bounded, and looked up by step. */

import type { ProbeEvent } from '../../wire';

export interface Answer {
  readonly step: number;
  readonly answer: string;
}

export interface ProbeView {
  readonly index: number;
  readonly prompt: string;
  readonly newest: Answer;
  /** The first answer, as a rule the base model's; null while it is also the newest. */
  readonly before: Answer | null;
  /** By step, the first and the newest among them. */
  readonly history: readonly Answer[];
}

const MAX_ANSWERS = 200;

/** Take an answer; the newer one of two of the same step stays. */
export function insertAnswer(probes: ProbeView[], event: ProbeEvent): void {
  const { index, prompt } = event;
  const said: Answer = { step: event.step, answer: event.answer };
  const place = probes.findIndex(probe => probe.index >= index);
  const known = probes[place];
  if (known?.index !== index) {
    const probe = { index, prompt, newest: said, before: null, history: [said] };
    probes.splice(place === -1 ? probes.length : place, 0, probe);
    return;
  }
  const history = withAnswer(known.history, said);
  if (said.step > known.newest.step) {
    probes[place] = { index, prompt, newest: said, before: known.before ?? known.newest, history };
  } else {
    const newest = said.step === known.newest.step ? said : known.newest;
    probes[place] = { ...known, newest, history };
  }
}

function withAnswer(history: readonly Answer[], said: Answer): Answer[] {
  const answers = history.filter(answer => answer.step !== said.step);
  const place = answers.findIndex(answer => answer.step > said.step);
  answers.splice(place === -1 ? answers.length : place, 0, said);
  if (answers.length > MAX_ANSWERS) {
    answers.splice(mostCrowded(answers), 1);
  }
  return answers;
}

/** The answer whose neighbours are nearest to each other: what is kept stays spread evenly. */
function mostCrowded(answers: readonly Answer[]): number {
  let place = 1;
  let least = Infinity;
  for (let i = 1; i < answers.length - 1; i += 1) {
    const room = (answers[i + 1]?.step ?? 0) - (answers[i - 1]?.step ?? 0);
    if (room < least) {
      [place, least] = [i, room];
    }
  }
  return place;
}

/** The steps at which anything was answered, ascending. */
export function answerSteps(probes: readonly ProbeView[]): number[] {
  const steps = new Set(probes.flatMap(probe => probe.history.map(said => said.step)));
  return [...steps].sort((a, b) => a - b);
}

/** The answer at or before a step and the one before that; the first where none is so early. */
export function answerAt(probe: ProbeView, step: number): { readonly said: Answer; readonly last: Answer | null } {
  let place = probe.history.length - 1;
  while (place > 0 && (probe.history[place]?.step ?? 0) > step) {
    place -= 1;
  }
  return { said: probe.history[place] ?? probe.newest, last: probe.history[place - 1] ?? null };
}

/** Above this, comparing would cost more than it tells. */
const MAX_COMPARED_WORDS = 300;

/** The pieces of an answer and which of them the answer before did not have in this place. */
export function changedPieces(answer: string, last: string): readonly { readonly text: string; readonly isNew: boolean }[] {
  const words = answer.match(/\s*\S+|\s+$/g) ?? [];
  const known = (last.match(/\S+/g) ?? []).slice(0, MAX_COMPARED_WORDS);
  if (words.length > MAX_COMPARED_WORDS) {
    return [{ text: answer, isNew: false }];
  }
  const width = known.length + 1;
  const common = new Uint16Array((words.length + 1) * width);
  for (let i = words.length - 1; i >= 0; i -= 1) {
    for (let j = known.length - 1; j >= 0; j -= 1) {
      const same = words[i]?.trim() === known[j];
      const rest = same ? common[(i + 1) * width + j + 1] : 0;
      const longest = Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
      common[i * width + j] = same ? Math.max((rest ?? 0) + 1, longest) : longest;
    }
  }
  let j = 0;
  return words.map((text, i) => {
    while (j < known.length && known[j] !== text.trim() && common[i * width + j] === common[i * width + j + 1]) {
      j += 1;
    }
    const isNew = text.trim() !== known[j];
    j += isNew ? 0 : 1;
    return { text, isNew };
  });
}
