/** What an admin does from the sidebar: let the service rest, tell everybody something, set limits. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog } from '@jupyterlab/apputils';
import { argument, described } from '../args';
import { attempt } from '../dialogs';
import { Commands } from '../ids';
import type { Requests } from '../requests';
import { LIMIT_WORDS } from '../words';

export function addAdminCommands({ commands }: JupyterFrontEnd, requests: Requests): void {
  const tell = (id: string, label: string, title: string, first: string, path: string) =>
    commands.addCommand(id, {
      label,
      describedBy: described({}),
      execute: async () => {
        const asked = await InputDialog.getText({ title, text: first, label: 'What everybody is told' });
        const message = (asked.value ?? '').trim();
        if (asked.button.accept && message !== '') {
          await attempt(() => requests.ask('PUT', path, { message }));
        }
      }
    });
  const end = (id: string, label: string, path: string) =>
    commands.addCommand(id, { label, describedBy: described({}), execute: () => attempt(() => requests.ask('DELETE', path)) });

  tell(Commands.drain, 'Rest for Maintenance…', 'Let every run rest at a checkpoint?', 'The service rests for maintenance; runs go on after it.', 'api/admin/maintenance');
  end(Commands.undrain, 'End the Maintenance', 'api/admin/maintenance');
  tell(Commands.say, 'Tell Everybody…', 'Tell everybody', '', 'api/admin/broadcast');
  end(Commands.unsay, 'Take the Message Back', 'api/admin/broadcast');
  commands.addCommand(Commands.limit, {
    label: 'Set a Limit…',
    describedBy: described({ user: 'whose; asked for nothing else' }),
    execute: args => setLimit(requests, argument(args, 'user'))
  });
}

async function setLimit(requests: Requests, user: string): Promise<void> {
  const names = Object.keys(LIMIT_WORDS);
  const title = `A limit of ${user}`;
  const chosen = await InputDialog.getItem({ title, label: 'Limit', items: names.map(name => LIMIT_WORDS[name] ?? name) });
  const name = names.find(one => LIMIT_WORDS[one] === chosen.value);
  if (!chosen.button.accept || name === undefined) {
    return;
  }
  const asked = await InputDialog.getText({ title, label: `${chosen.value}: a number; 0 is no limit; empty is what the configuration says`, pattern: '[0-9]*' });
  if (asked.button.accept) {
    const text = (asked.value ?? '').trim();
    const changes = { [name]: text === '' ? null : Number(text) };
    await attempt(() => requests.ask('PUT', 'api/admin/limits', { scope: 'user', name: user, changes }));
  }
}
