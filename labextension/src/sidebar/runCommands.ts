/** Commands about one run, one adapter and the service: each asks the service, and says what went wrong. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, Notification } from '@jupyterlab/apputils';
import { argument, described, numberArgument } from './args';
import { attempt, isConfirmed } from './dialogs';
import { exportAdapter } from './exporting';
import { Commands } from './ids';
import type { Requests } from './requests';

const RUN = { run: 'a run’s id, or an adapter’s name', adapter: 'what it is called' };

export function addRunCommands(app: JupyterFrontEnd, requests: Requests, folder: string): void {
  const { commands } = app;
  const steer = (id: string, label: string, action: 'pause' | 'resume') =>
    commands.addCommand(id, {
      label,
      describedBy: described(RUN),
      execute: args => attempt(() => requests.steer(argument(args, 'run'), action))
    });
  steer(Commands.pause, 'Pause', 'pause');
  steer(Commands.resume, 'Resume', 'resume');
  commands.addCommand(Commands.stop, {
    label: 'Stop…',
    describedBy: described(RUN),
    execute: async args => {
      const name = argument(args, 'adapter') || argument(args, 'run');
      if (await isConfirmed(`Stop the run of ${name}?`, 'Its weights so far stay, and it can be forked.', 'Stop the run')) {
        await attempt(() => requests.steer(argument(args, 'run'), 'stop'));
      }
    }
  });
  commands.addCommand(Commands.checkpoint, {
    label: 'Save a Checkpoint Now',
    describedBy: described(RUN),
    execute: async args => {
      if (await attempt(() => requests.makeCheckpoint(argument(args, 'run')))) {
        Notification.success(`A checkpoint of ${argument(args, 'adapter')} is kept.`);
      }
    }
  });
  commands.addCommand(Commands.fork, {
    label: 'Fork…',
    caption: 'Go on from its weights in a new run',
    describedBy: described({ ...RUN, step: 'which checkpoint; the newest if missing' }),
    execute: args => fork(app, requests, argument(args, 'run'), argument(args, 'adapter'), numberArgument(args, 'step'))
  });
  commands.addCommand(Commands.export, {
    label: 'Export…',
    caption: 'Write the adapter as files of PEFT, llama.cpp or a whole model',
    describedBy: described({ adapter: 'its name' }),
    execute: args => exportAdapter(requests, argument(args, 'adapter'), folder)
  });
  commands.addCommand(Commands.deleteAdapter, {
    label: 'Delete…',
    describedBy: described({ adapter: 'its name' }),
    execute: async args => {
      const name = argument(args, 'adapter');
      if (await isConfirmed(`Delete adapter ${name}?`, 'Its weights and checkpoints are deleted; its runs keep their curves.')) {
        await attempt(() => requests.deleteAdapter(name));
      }
    }
  });
  addServiceCommands(app, requests);
}

function addServiceCommands({ commands }: JupyterFrontEnd, requests: Requests): void {
  commands.addCommand(Commands.startService, {
    label: 'Start the Training Service',
    describedBy: described({}),
    execute: () => attempt(() => requests.service('start'))
  });
  commands.addCommand(Commands.stopService, {
    label: 'Stop the Training Service…',
    describedBy: described({}),
    execute: async () => {
      const body = 'Runs rest meanwhile, and go on by themselves when it is started again.';
      if (await isConfirmed('Stop the training service?', body, 'Stop the service')) {
        await attempt(() => requests.service('stop'));
      }
    }
  });
}

async function fork(app: JupyterFrontEnd, requests: Requests, run: string, adapter: string, step: number | null): Promise<void> {
  const from = step === null ? 'its newest checkpoint' : `step ${step}`;
  const asked = await InputDialog.getText({
    title: `Fork ${adapter} from ${from}`,
    label: 'Name of the new adapter; empty: the next that is free',
    okLabel: 'Fork',
    pattern: '([A-Za-z0-9][A-Za-z0-9._\\-]{0,63})?'
  });
  if (!asked.button.accept) {
    return;
  }
  await attempt(async () => {
    const forked = await requests.fork(run, (asked.value ?? '').trim(), step);
    await app.commands.execute(Commands.openRun, { run: forked.runId, adapter: forked.adapter, isNew: true });
  });
}
