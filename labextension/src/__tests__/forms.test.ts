import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseExportState, type AdapterLine, type ExportState } from '../adaptersWire';
import { ExportForm } from '../panels/adapters/exportForm';
import type { Question } from '../panels/asker';
import { emptyView } from '../panels/run/model';
import { RunSteering } from '../panels/run/steering';
import { CommandFailedError } from '../panels/transport';
import { watchExport } from '../sidebar/exporting';
import { partOf, usePage } from './page';

vi.mock('@jupyterlab/apputils', () => ({ Dialog: vi.fn(), Notification: vi.fn(), showDialog: vi.fn() }));
vi.mock('@lumino/widgets', () => ({ Widget: vi.fn() }));

const failure = (code: string) => new CommandFailedError({ code, message: `It is ${code}.`, hint: '' });
const state = (more: object) => ({ export_id: 'e1', state: 'running', folder: '/srv/pirate-peft', fraction: 0.1, ...more });

usePage();

describe('steering', () => {
  function steering(isOver: boolean) {
    const asked: string[] = [];
    const ends: (() => void)[] = [];
    const made = new RunSteering(action => {
      asked.push(action);
      return new Promise(resolve => ends.push(resolve));
    });
    made.show({ ...emptyView('r', 'pirate'), state: isOver ? 'finished' : 'running', step: 5, learningRate: 1e-3 }, !isOver, isOver);
    const node = partOf(made.node);
    const enabled = () => ['rate-half', 'rate-double', 'apply', 'checkpoint', 'fork'].filter(name => !node.action(name).disabled);
    return { node, asked, ends, enabled };
  }

  it('by Enter twice is asked for once', async () => {
    const { node, asked, ends } = steering(false);
    node.entry('adapter').value = 'parrot';
    node.entry('adapter').press('Enter');
    node.entry('adapter').press('Enter');
    node.entry('steps').value = '80';
    node.entry('steps').press('Enter');
    expect(asked).toEqual(['fork']);

    ends[0]?.();
    await vi.waitFor(() => expect(node.find('role', 'status').textContent).toContain('%twinkle show parrot'));
    node.entry('steps').press('Enter');
    expect(asked).toEqual(['fork', 'set']);
  });

  it('of a run that has ended is a fork, after one too', async () => {
    const { node, ends, enabled } = steering(true);
    expect(enabled()).toEqual(['fork']);
    node.entry('adapter').value = 'parrot';
    node.action('fork').click(1);
    expect(enabled()).toEqual([]);
    ends[0]?.();
    await vi.waitFor(() => expect(enabled()).toEqual(['fork']));
  });
});

describe('an export', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function form(...answers: (object | Error)[]) {
    const asked: Question[] = [];
    const ask = async (question: Question) => {
      asked.push(question);
      await Promise.resolve();
      const answer = answers.shift();
      if (answer instanceof Error) {
        throw answer;
      }
      return answer;
    };
    const made = new ExportForm({ ask }, '/srv');
    made.open({ name: 'pirate' } as AdapterLine);
    const node = partOf(made.node);
    return { node, asked, said: () => node.find('role', 'status').textContent };
  }

  it('by Enter twice is begun once', async () => {
    const { node, asked, said } = form(state({}), state({ state: 'finished', size_bytes: 2e6 }));
    node.entry('folder').press('Enter');
    node.entry('folder').press('Enter');
    await vi.advanceTimersByTimeAsync(5000);
    expect([asked, said()]).toEqual([['export', 'export-state'], 'pirate is in /srv/pirate-peft, 2 MB.']);
  });

  it('is watched on after a poll that was lost, and says so meanwhile', async () => {
    const { node, asked, said } = form(state({}), failure('service_unavailable'), state({ state: 'finished' }));
    node.action('export-begin').click(1);
    await vi.advanceTimersByTimeAsync(500);
    expect([said(), node.action('export-cancel').textContent]).toEqual(['It is service_unavailable.', 'Cancel']);
    await vi.advanceTimersByTimeAsync(500);
    expect([said(), asked.length]).toEqual([expect.stringContaining('pirate is in'), 3]);
  });

  it('that the service has forgotten is not asked for again', async () => {
    const { node, asked, said } = form(state({}), failure('not_found'));
    node.action('export-begin').click(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect([said(), asked.length]).toEqual(['It is not_found.', 2]);
  });

  describe('from the sidebar', () => {
    const watch = (readExport: () => Promise<ExportState>) => watchExport({ readExport }, 'pirate', parseExportState(state({})));

    it('is watched on after a poll that was lost, unless it is gone', async () => {
      const answers = [failure('service_unavailable'), failure('starting'), parseExportState(state({ state: 'finished' }))];
      const next = () => {
        const answer = answers.shift();
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as ExportState);
      };
      const said = watch(next);
      const lost = expect(watch(() => Promise.reject(failure('not_found')))).rejects.toThrow('It is not_found.');
      await vi.advanceTimersByTimeAsync(5000);
      expect(await said).toBe('pirate is in /srv/pirate-peft');
      await lost;
    });

    it('is not called done after an hour in which it was not', async () => {
      const said = watch(() => Promise.resolve(parseExportState(state({}))));
      await vi.advanceTimersByTimeAsync(3_700_000);
      expect(await said).toBe('pirate is still being written to /srv/pirate-peft');
    });
  });
});
