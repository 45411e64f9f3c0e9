/** Names of commands, as menus, shortcuts and other extensions know them, and of tabs. */

export const Commands = {
  show: 'twinkle:show-sidebar',
  openRun: 'twinkle:open-run',
  pause: 'twinkle:pause-run',
  resume: 'twinkle:resume-run',
  stop: 'twinkle:stop-run',
  fork: 'twinkle:fork-run',
  checkpoint: 'twinkle:checkpoint-run',
  insertShow: 'twinkle:insert-show-cell',
  chat: 'twinkle:chat',
  export: 'twinkle:export-adapter',
  deleteAdapter: 'twinkle:delete-adapter',
  train: 'twinkle:train-on-file',
  insertTrain: 'twinkle:insert-train-cell',
  startService: 'twinkle:start-service',
  stopService: 'twinkle:stop-service',
  drain: 'twinkle:admin-drain',
  undrain: 'twinkle:admin-undrain',
  say: 'twinkle:admin-say',
  unsay: 'twinkle:admin-unsay',
  limit: 'twinkle:admin-limit'
} as const;

/** In the palette and the launcher. */
export const CATEGORY = 'Twinkle';

/** Each list of models has its own: a plus is in no part of it, as dots and dashes are. */
export function chatTabId(models: readonly string[]): string {
  return `twinkle-chat-${models.map(encodeURIComponent).join('+')}`;
}
