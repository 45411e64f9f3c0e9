/** What the sidebar says: names of files as adapters, cells that work, sizes and times. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Limit } from './model';

export const DATA_ENDINGS = ['.jsonl', '.ndjson', '.csv', '.tsv', '.parquet'] as const;

export const LIMIT_WORDS: Readonly<Record<string, string>> = {
  adapters: 'Adapters',
  queued_tokens: 'Tokens queued',
  tokens_per_minute: 'Tokens a minute',
  requests_per_second: 'Requests a second',
  longest_input: 'Longest input, tokens'
};

export function isDataFile(path: string): boolean {
  return DATA_ENDINGS.some(ending => path.toLowerCase().endsWith(ending));
}

/** An adapter's name for what a file holds: `Pirate talk.jsonl` → `Pirate-talk`. */
export function adapterNameFor(path: string): string {
  const stem = PathExt.basename(path, PathExt.extname(path));
  const name = stem.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  const short = name.slice(0, 64).replace(/-+$/, '');
  return short === '' || short === 'base' ? 'adapter' : short;
}

/**
 * What stands for a character between a magic's single quotes. IPython puts values in for `{name}` and
 * `$name` before the words are taken apart; the second needs a letter right behind the dollar.
 */
const WRITTEN: Readonly<Record<string, string>> = { "'": `'"'"'`, $: "$''", '{': '{{', '}': '}}' };

/** A word of a magic's line, in quotes where it needs them. */
export function quoted(word: string): string {
  return /^[\w./@:+-]+$/.test(word) ? word : `'${word.replace(/['${}]/g, character => WRITTEN[character] ?? character)}'`;
}

/** The cell that trains on a file, seen from the notebook's folder, where its kernel runs. */
export function trainCell(file: string, notebook: string): string {
  const path = PathExt.relative(PathExt.dirname(notebook), file);
  return `%twinkle train ${quoted(path)} --adapter ${quoted(adapterNameFor(file))}`;
}

/** The lines before a magic, unless the notebook has them somewhere. */
export function withLoading(cell: string, others: readonly string[]): string {
  const isLoaded = others.some(source => /^\s*%(load|reload)_ext\s+twinkle_jupyter\b/m.test(source));
  return isLoaded ? cell : `%load_ext twinkle_jupyter\n${cell}`;
}

export function limitWord(limit: Limit): string {
  return LIMIT_WORDS[limit.name] ?? limit.name.replaceAll('_', ' ');
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`; empty for what is no time. */
export function formatAge(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) {
    return '';
  }
  if (seconds < 60) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}
