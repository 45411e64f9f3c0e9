import type { ILabShell, ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { insertCell } from '../sidebar/cells';
import { attempt } from '../sidebar/dialogs';
import { Commands } from '../sidebar/ids';
import type { Requests } from '../sidebar/requests';
import { addTabCommands } from '../sidebar/tabCommands';
import type { TabContext } from '../sidebar/tabs';
import { addTrainCommands } from '../sidebar/trainCommands';

vi.mock('@jupyterlab/apputils', () => ({
  InputDialog: vi.fn(),
  Notification: { info: vi.fn(), error: vi.fn() },
  showErrorMessage: vi.fn(),
  WidgetTracker: vi.fn(() => ({ find: () => undefined, add: () => Promise.resolve() }))
}));
vi.mock('@jupyterlab/filebrowser', () => ({ FileDialog: vi.fn() }));
vi.mock('@jupyterlab/notebook', () => ({ NotebookActions: { insertBelow: (notebook: Notebook) => notebook.insert() } }));
vi.mock('../sidebar/icons', () => ({ twinkleIcon: null }));
vi.mock('../sidebar/tabs', () => ({
  RunTab: vi.fn((run: string) => ({ id: `run ${run}`, isAttached: false })),
  ChatTab: vi.fn((models: string[]) => ({ id: `chat ${models.join()}`, isAttached: false }))
}));
vi.mock('../sidebar/trainDialog', () => ({
  askAndTrain: (_: string, __: unknown, start: (config: object) => Promise<void>) => start({})
}));

/** A notebook with one cell that holds something. */
class Notebook {
  readonly sources = ['1'];
  readonly done: string[] = [];
  readonly activeCell = { model: { type: 'code', sharedModel: { getSource: () => this.sources.at(-1) ?? '', setSource: (source: string) => this.sources.splice(-1, 1, source) } } };
  readonly model = { cells: [this.activeCell.model] };

  insert(): void {
    this.sources.push('');
  }

  activate(): void {
    this.done.push('focused');
  }
}

type Args = Readonly<Record<string, string | boolean>>;

beforeEach(() => {
  vi.clearAllMocks();
});

/** A front end with the commands, and what they did to its shell. */
function frontEnd(isLab: boolean) {
  const known = new Map<string, (args: Args) => unknown>();
  const done: string[] = [];
  const shell = {
    add: (tab: { readonly id: string }, area: string) => done.push(`${tab.id} in ${area}`),
    activateById: (id: string) => done.push(`${id} in front`)
  } as unknown as ILabShell;
  const execute = async (id: string, args: Args): Promise<void> => {
    await known.get(id)?.(args);
  };
  const app = {
    shell,
    commands: { addCommand: (id: string, { execute }: { execute: (args: Args) => unknown }) => known.set(id, execute), execute },
    serviceManager: { contents: { localPath: (path: string) => path } }
  } as unknown as JupyterFrontEnd;
  const restorer = { restore: () => done.push('restored') } as unknown as ILayoutRestorer;
  const requests = { train: () => Promise.resolve({ runId: 'run_1', adapter: 'pirate' }) } as unknown as Requests;
  addTabCommands(app, {} as TabContext, requests, isLab ? shell : null, restorer);
  addTrainCommands(app, { requests, defaults: () => ({ rank: 8, steps: 0 }), notebooks: null, documents: null, browsers: null });
  return { execute, done, shell };
}

const told = () => vi.mocked(Notification.info).mock.calls.map(call => call[0]);

describe('a run and a chat', () => {
  it('have tabs in JupyterLab', async () => {
    const { execute, done } = frontEnd(true);
    await execute(Commands.train, { path: 'rows.jsonl' });
    await execute(Commands.chat, { adapter: 'pirate' });
    const tabs = ['run run_1 in main', 'run run_1 in front', 'chat pirate,base in main', 'chat pirate,base in front'];
    expect([done, told()]).toEqual([['restored', 'restored', ...tabs], []]);
  });

  it('are cells in Notebook 7, which is said, and nothing else is made', async () => {
    const { execute, done } = frontEnd(false);
    await execute(Commands.train, { path: 'rows.jsonl' });
    await execute(Commands.openRun, { run: 'run_1', adapter: 'pirate' });
    await execute(Commands.chat, { adapter: 'pirate' });
    expect([done, told()]).toEqual([
      [],
      [
        'The run has begun: “%twinkle show pirate” in a notebook shows it.',
        '“%twinkle show run_1” in a notebook shows it.',
        '“%twinkle compare pirate base” in a notebook opens a chat.'
      ]
    ]);
  });
});

describe('a cell', () => {
  it('is put into the notebook at hand, which comes to the front', () => {
    const notebook = new Notebook();
    const { shell, done } = frontEnd(true);
    const notebooks = { currentWidget: { id: 'a.ipynb', content: notebook } } as unknown as INotebookTracker;
    insertCell(shell, notebooks, '%twinkle show run_1');
    expect([notebook.sources, done.at(-1), notebook.done]).toEqual([
      ['1', '%load_ext twinkle_jupyter\n%twinkle show run_1'],
      'a.ipynb in front',
      ['focused']
    ]);
  });
});

describe('what went wrong', () => {
  const hint = 'Wait for its end, or stop it: twinkle stop-run pirate.';
  const sentence = 'Adapter pirate is being trained by run run_20260101_120000_abcdef.';

  it('is said whole: in a dialog where a toast would be cut', async () => {
    const long = `${sentence} ${'It goes on. '.repeat(3)}${hint}`;
    expect([await attempt(() => Promise.reject(new Error(sentence))), await attempt(() => Promise.reject(new Error(long)))]).toEqual([false, false]);
    expect(vi.mocked(Notification.error).mock.calls.map(call => call[0])).toEqual([sentence]);
    expect(vi.mocked(showErrorMessage).mock.calls.map(call => call[1])).toEqual([long]);
  });
});
