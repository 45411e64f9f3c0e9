/** Commands that show a run and a chat: in tabs, which return after a reload, or by saying which cell does. */

import type { ILabShell, ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, Notification, WidgetTracker } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';
import { argument, described } from './args';
import { attempt, TOAST_MS } from './dialogs';
import { Commands } from './ids';
import type { Requests, Started } from './requests';
import { ChatTab, RunTab, type TabContext } from './tabs';
import { quoted } from './words';

const RUN = 'a run’s id, or an adapter’s name for its newest run; asked for if missing';

interface Display {
  /** @param isNew It has just been started, so that its adapter's name means it. */
  run(found: Started, isNew: boolean): void;
  chat(adapter: string): void;
}

/** @param shell Null in Notebook 7, whose pages take no further tab. */
export function addTabCommands({ commands }: JupyterFrontEnd, context: TabContext, requests: Requests, shell: ILabShell | null, restorer: ILayoutRestorer | null): void {
  const display = shell === null ? CELLS : new Tabs(shell, context, restorer);

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
        display.run(found, args['isNew'] === true);
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
        display.chat(adapter);
      }
    }
  });
}

class Tabs implements Display {
  private readonly runs = new WidgetTracker<RunTab>({ namespace: 'twinkle-runs' });
  private readonly chats = new WidgetTracker<ChatTab>({ namespace: 'twinkle-chats' });

  constructor(
    private readonly shell: ILabShell,
    private readonly context: TabContext,
    restorer: ILayoutRestorer | null
  ) {
    void restorer?.restore(this.runs, {
      command: Commands.openRun,
      args: tab => ({ run: tab.run, adapter: tab.adapter }),
      name: tab => tab.run
    });
    void restorer?.restore(this.chats, {
      command: Commands.chat,
      args: tab => ({ adapter: tab.models[0] ?? '' }),
      name: tab => tab.models[0] ?? ''
    });
  }

  run({ runId, adapter }: Started): void {
    this.reveal(this.runs, tab => tab.run === runId, () => new RunTab(runId, adapter, this.context));
  }

  chat(adapter: string): void {
    this.reveal(this.chats, tab => tab.models[0] === adapter, () => new ChatTab([adapter, 'base'], this.context));
  }

  private reveal<Tab extends Widget>(tracker: WidgetTracker<Tab>, is: (tab: Tab) => boolean, make: () => Tab): void {
    const known = tracker.find(is);
    const tab = known ?? make();
    if (known === undefined) {
      void tracker.add(tab);
    }
    if (!tab.isAttached) {
      this.shell.add(tab, 'main');
    }
    this.shell.activateById(tab.id);
  }
}

const CELLS: Display = {
  run: ({ runId, adapter }, isNew) => {
    const cell = `“%twinkle show ${quoted(isNew ? adapter : runId)}” in a notebook shows it.`;
    Notification.info(isNew ? `The run has begun: ${cell}` : cell, { autoClose: TOAST_MS });
  },
  chat: adapter => Notification.info(`“%twinkle compare ${quoted(adapter)} base” in a notebook opens a chat.`, { autoClose: TOAST_MS })
};

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
