/** What the token ribbon and the chat ask for, as types, and how their JSON is read. */

import { isFields, list, number, text, type Fields } from './fields';

export const TOKENS_MIME_TYPE = 'application/vnd.twinkle.tokens+json';
export const CHAT_MIME_TYPE = 'application/vnd.twinkle.chat+json';

export type Message = Readonly<Record<string, unknown>>;

export interface Token {
  readonly id: number;
  readonly text: string;
  /** Of the message that it belongs to; empty before the first. */
  readonly role: string;
  /** 0 where it is read and not learned. */
  readonly weight: number;
  readonly isSpecial: boolean;
  readonly start: number;
  readonly end: number;
  /** With the view's adapter, after the tokens before it; null where it is not known. */
  readonly logprob: number | null;
  /** The same with the base model alone. */
  readonly baseLogprob: number | null;
}

/** Something that is wrong with a row. */
export interface RowFault {
  readonly sentence: string;
  readonly isRefusal: boolean;
  /** The first token to blame; null where none is. */
  readonly token: number | null;
}

export interface TokenView {
  readonly baseModel: string;
  readonly lossMask: string;
  readonly lossMasks: readonly string[];
  readonly maxLength: number | null;
  readonly numLearned: number;
  /** Whose log-probabilities the tokens carry; empty: nobody's. */
  readonly adapter: string;
  readonly tokens: readonly Token[];
  readonly faults: readonly RowFault[];
}

export interface TokensBundle {
  readonly title: string;
  readonly messages: readonly Message[];
  /** Functions that may be called, as JSON schemas. */
  readonly tools: readonly Fields[];
  /** What becomes of the reasoning before an answer. */
  readonly reasoning: 'keep' | 'strip';
  readonly view: TokenView;
}

export interface ChatSettings {
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number;
}

export interface ChatAnswer {
  readonly model: string;
  readonly text: string;
  /** How it ended, in small print; empty while it is written. */
  readonly note: string;
  /** The model itself has ended it: it has not failed, and nobody and no limit has cut it. */
  readonly isWhole: boolean;
}

export interface ChatTurn {
  readonly prompt: string;
  readonly answers: readonly ChatAnswer[];
}

export interface ChatBundle {
  readonly chatId: string;
  readonly models: readonly string[];
  readonly system: string;
  readonly settings: ChatSettings;
  readonly turns: readonly ChatTurn[];
}

export const FIRST_CHAT_SETTINGS: ChatSettings = { temperature: 0.7, topP: 0.95, maxTokens: 256, seed: 0 };

/** A row as the service's `POST /tokens` answers; null when it is none. */
export function parseTokenView(value: unknown): TokenView | null {
  const fields = isFields(value) ? value : {};
  const columns = isFields(fields['tokens']) ? fields['tokens'] : null;
  if (columns === null) {
    return null;
  }
  const column = (name: string) => list(columns[name]);
  const [texts, roles, weights] = [column('text'), column('role'), column('weight')];
  const [specials, starts, ends] = [column('special'), column('start'), column('end')];
  const [logprobs, baseLogprobs] = [column('logprob'), column('base_logprob')];
  return {
    baseModel: text(fields['base_model']),
    lossMask: text(fields['loss_mask']),
    lossMasks: list(fields['loss_masks']).map(text),
    maxLength: number(fields['max_length']),
    numLearned: number(fields['num_learned']) ?? 0,
    adapter: text(fields['adapter']),
    tokens: column('id').map((id, i) => ({
      id: number(id) ?? 0,
      text: text(texts[i]),
      role: text(roles[i]),
      weight: number(weights[i]) ?? 0,
      isSpecial: specials[i] === true,
      start: number(starts[i]) ?? 0,
      end: number(ends[i]) ?? 0,
      logprob: number(logprobs[i]),
      baseLogprob: number(baseLogprobs[i])
    })),
    faults: list(fields['faults']).filter(isFields).map(fault => ({
      sentence: text(fault['sentence']),
      isRefusal: fault['severity'] === 'refuse',
      token: number(list(fault['tokens'])[0])
    }))
  };
}

/** A row read in another way: what its tokens' probabilities were, they still are. */
export function withLogprobsOf(view: TokenView, before: TokenView): TokenView {
  const isSame = view.tokens.length === before.tokens.length && view.tokens.every((token, i) => token.id === before.tokens[i]?.id);
  if (!isSame || hasLogprobs(view) || !hasLogprobs(before)) {
    return view;
  }
  const tokens = view.tokens.map((token, i) => {
    const { logprob, baseLogprob } = before.tokens[i] ?? token;
    return { ...token, logprob, baseLogprob };
  });
  return { ...view, adapter: before.adapter, tokens };
}

export function hasLogprobs(view: TokenView): boolean {
  return view.tokens.some(token => token.logprob !== null || token.baseLogprob !== null);
}

/** The MIME type's content; null when it holds no tokens. */
export function parseTokensBundle(value: unknown): TokensBundle | null {
  const fields = isFields(value) ? value : {};
  const view = parseTokenView(fields['view']);
  if (view === null) {
    return null;
  }
  const adapter = view.adapter || text(fields['adapter']);
  return {
    title: text(fields['title']),
    messages: list(fields['messages']).filter(isFields),
    tools: list(fields['tools']).filter(isFields),
    reasoning: fields['reasoning'] === 'strip' ? 'strip' : 'keep',
    view: { ...view, adapter }
  };
}

/** The MIME type's content; null when it names no model. */
export function parseChatBundle(value: unknown): ChatBundle | null {
  const fields = isFields(value) ? value : {};
  const models = list(fields['models']).map(text).filter(model => model !== '');
  if (models.length === 0) {
    return null;
  }
  return {
    chatId: text(fields['chat_id']),
    models,
    system: text(fields['system']),
    settings: parseSettings(isFields(fields['settings']) ? fields['settings'] : {}),
    turns: list(fields['turns']).filter(isFields).map(parseTurn)
  };
}

/** The bundle as the notebook keeps it. */
export function chatJson(bundle: ChatBundle): Record<string, unknown> {
  const { temperature, topP, maxTokens, seed } = bundle.settings;
  return {
    chat_id: bundle.chatId,
    models: bundle.models,
    system: bundle.system,
    settings: { temperature, top_p: topP, max_tokens: maxTokens, seed },
    turns: bundle.turns.map(({ prompt, answers }) => ({
      prompt,
      answers: answers.map(({ model, text, note, isWhole }) => ({ model, text, note, is_whole: isWhole }))
    }))
  };
}

function parseSettings(fields: Fields): ChatSettings {
  return {
    temperature: number(fields['temperature']) ?? FIRST_CHAT_SETTINGS.temperature,
    topP: number(fields['top_p']) ?? FIRST_CHAT_SETTINGS.topP,
    maxTokens: number(fields['max_tokens']) ?? FIRST_CHAT_SETTINGS.maxTokens,
    seed: number(fields['seed']) ?? FIRST_CHAT_SETTINGS.seed
  };
}

function parseTurn(fields: Fields): ChatTurn {
  const answers = list(fields['answers']).filter(isFields);
  return { prompt: text(fields['prompt']), answers: answers.map(parseAnswer) };
}

/** One that was stored while it was written has no end any more. */
function parseAnswer(fields: Fields): ChatAnswer {
  return {
    model: text(fields['model']),
    text: text(fields['text']),
    note: text(fields['note']) || 'broke off',
    isWhole: fields['is_whole'] === true
  };
}
