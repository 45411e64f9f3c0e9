/** A chat for front ends that do not run our code: static HTML, and text. */

import type { ChatBundle } from '../../asking';
import { escapeHtml } from '../escape';

const CELL = 'style="text-align:left;vertical-align:top;padding:4px 16px 4px 0;white-space:pre-wrap"';

/** The picture as `text/html`. */
export function chatHtml(chat: ChatBundle): string {
  const turns = chat.turns.map(turn => {
    const head = turn.answers.map(one => `<th scope="col" ${CELL}>${escapeHtml(one.model)}</th>`).join('');
    const row = turn.answers.map(one => `<td ${CELL}>${escapeHtml(one.text)}</td>`).join('');
    return (
      `<p style="margin:6px 0"><b>${escapeHtml(turn.prompt)}</b></p>` +
      `<table style="border-collapse:collapse"><thead><tr>${head}</tr></thead><tbody><tr>${row}</tr></tbody></table>`
    );
  });
  const none = `<p>A chat with ${escapeHtml(chat.models.join(', '))}.</p>`;
  return `<div style="font-family:system-ui,sans-serif;font-size:13px">${turns.length > 0 ? turns.join('') : none}</div>`;
}

/** The picture as `text/plain`. */
export function chatText(chat: ChatBundle): string {
  const said = chat.turns.map(turn => [`> ${turn.prompt}`, ...turn.answers.map(one => `${one.model}: ${one.text}`)].join('\n'));
  return said.length > 0 ? said.join('\n\n') : `A chat with ${chat.models.join(', ')}.`;
}
