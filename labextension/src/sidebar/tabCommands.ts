/** Commands that open tabs, and the tabs' return after a reload. */

import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, WidgetTracker } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';
import { argument, described } from './args';
import { attempt } from './dialogs';
import { Commands } from './ids';
import type { Requests } from './requests';
import { ChatTab, RunTab, type TabContext } from './tabs';

const RUN = 'a run’s id, or an adapter’s name for its newest run; asked for if missing';

export function addTabCommands(app: JupyterFrontEnd, context: TabContext, requests: Requests, restorer: ILayoutRestorer | null): void {
  const { commands } = app;
  const runs = new WidgetTracker<RunTab>({ namespace: 'twinkle-runs' });
  const chats = new WidgetTracker<ChatTab>({ namespace: 'twinkle-chats' });

  commands.addCommand(Commands.openRun, {
    label: args => (argument(args, 'run') === '' ? 'Open a Run…' : 'Open Its Panel'),
    caption: 'Show a run live in a tab, without a kernel',
    describedBy: described({ run: RUN, adapter: 'the adapter’s name' }),
    execute: async args => {
      const asked = argument(args, 'run') || (await pickAdapter(requests, 'Open the run of'));
      if (asked === '') {
        return;
      }
      await attempt(async () => {
        const found = argument(args, 'adapter') === '' ? await requests.findRun(asked) : { runId: asked, adapter: argument(args, 'adapter') };
        reveal(app, runs, tab => tab.run === found.runId, () => new RunTab(found.runId, found.adapter, context));
      });
    }
  });
  commands.addCommand(Commands.chat, {
    label: args => (argument(args, 'adapter') === '' ? 'Chat with an Adapter…' : 'Chat'),
    caption: 'Ask an adapter and its base model side by side, without a kernel',
    describedBy: described({ adapter: 'the adapter’s name; asked for if missing' }),
    execute: async args => {
      const adapter = argument(args, 'adapter') || (await pickAdapter(requests, 'Chat with'));
      if (adapter !== '') {
        reveal(app, chats, tab => tab.models[0] === adapter, () => new ChatTab([adapter, 'base'], context));
      }
    }
  });
  void restorer?.restore(runs, {
    command: Commands.openRun,
    args: tab => ({ run: tab.run, adapter: tab.adapter }),
    name: tab => tab.run
  });
  void restorer?.restore(chats, {
    command: Commands.chat,
    args: tab => ({ adapter: tab.models[0] ?? '' }),
    name: tab => tab.models[0] ?? ''
  });
}

function reveal<Tab extends Widget>(app: JupyterFrontEnd, tracker: WidgetTracker<Tab>, is: (tab: Tab) => boolean, make: () => Tab): void {
  const known = tracker.find(is);
  const tab = known ?? make();
  if (known === undefined) {
    void tracker.add(tab);
  }
  if (!tab.isAttached) {
    app.shell.add(tab, 'main');
  }
  app.shell.activateById(tab.id);
}

/** Ask which adapter; empty when nobody wants one, or there is none. */
async function pickAdapter(requests: Requests, title: string): Promise<string> {
  let names: readonly string[] = [];
  if (!(await attempt(async () => void (names = await requests.adapterNames())))) {
    return '';
  }
  if (names.length === 0) {
    await attempt(() => Promise.reject(new Error('There is no adapter yet: each run makes one.')));
    return '';
  }
  const chosen = await InputDialog.getItem({ title, items: [...names], label: 'Adapter' });
  return chosen.button.accept ? (chosen.value ?? '') : '';
}
