/** The server extension's routes: where they are, and what is said when nobody answers. */

export const NAMESPACE = 'twinkle-jupyter';
export const NO_EXTENSION = 'The Jupyter server runs without twinkle_jupyter';
export const NO_SERVER = 'The Jupyter server does not answer; trying again';

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
