import { describe, expect, it, vi } from 'vitest';
import { RunControls } from '../panels/run/controls';
import { emptyView, type RunView } from '../panels/run/model';
import { StopButton } from '../panels/sweep/stopButton';
import { NOTHING_KNOWN, applyFrame, type Run } from '../sidebar/model';
import { RunRow } from '../sidebar/runRow';
import type { SectionContext } from '../sidebar/section';
import type { RunState } from '../wire';
import { focused, partOf, usePage, type Part } from './page';

vi.mock('@jupyterlab/ui-components', () => ({ LabIcon: vi.fn() }));

const view = (state: RunState): RunView => ({ ...emptyView('run_1', 'pirate'), state });

function controls(): { readonly node: Part; readonly sent: string[]; readonly show: (state: RunState) => void } {
  const sent: string[] = [];
  const made = new RunControls(command => {
    sent.push(command);
    return Promise.resolve();
  });
  made.show(view('running'), true);
  return { node: partOf(made.node), sent, show: state => made.show(view(state), true) };
}

function stopAll(): { readonly node: Part; readonly sent: string[] } {
  const sent: string[] = [];
  const made = new StopButton(() => {
    sent.push('stop');
    return Promise.resolve();
  });
  made.show(true, true);
  return { node: partOf(made.node), sent };
}

function row(): { readonly node: Part; readonly sent: string[]; readonly show: (state: RunState, wanted: string) => void } {
  const sent: string[] = [];
  const commands = { execute: (command: string) => sent.push(command) };
  const run = (state: RunState, wanted: string): Run => {
    const [made] = applyFrame(NOTHING_KNOWN, { type: 'overview', runs: [{ run_id: 'r', adapter: 'pirate', state, wanted }], order: ['r'] }).runs;
    return made as Run;
  };
  const made = new RunRow(run('running', 'running'), { commands, openMenu: () => undefined } as unknown as SectionContext);
  made.show(run('running', 'running'));
  return { node: partOf(made.node), sent, show: (state, wanted) => made.show(run(state, wanted)) };
}

describe.each([
  ['a run', controls],
  ['all runs of a sweep', stopAll]
])('Stop of %s', (_, make) => {
  usePage();

  it('has what harms nothing in its place and focused', () => {
    const { node } = make();
    node.action('stop').click(1);
    expect([node.shown.at(-1), focused()?.textContent]).toEqual(['Keep going', 'Keep going']);
    node.action('stop-cancel').press('Escape');
    expect(focused()).toBe(node.action('stop'));
  });

  it('is not answered by a double click or a held key, whatever lies there', () => {
    const { node, sent } = make();
    node.action('stop').press('Enter');
    ['stop-cancel', 'stop-confirm'].forEach(name => {
      node.action(name).click(2);
      node.action(name).press('Enter', true);
    });
    expect([sent, node.action('stop-confirm').hidden]).toEqual([[], false]);
  });

  it('is sent once, and keeps the focus meanwhile', () => {
    const { node, sent } = make();
    node.action('stop').click(1);
    node.action('stop-confirm').press('Enter');
    focused()?.press('Enter');
    expect([sent, focused()?.textContent]).toEqual([['stop'], 'Stopping…']);
  });
});

describe('Pause', () => {
  usePage();

  it('becomes Resume and keeps the focus all the while', () => {
    const { node, sent, show } = controls();
    const button = node.action('pause');
    button.focus();
    button.press('Enter');
    button.press('Enter');
    expect([sent, button.textContent, button.disabled]).toEqual([['pause'], 'Pausing…', false]);

    show('paused');
    expect([node.action('resume'), button.textContent, focused()]).toEqual([button, 'Resume', button]);
    button.click(2);
    button.click(1);
    expect(sent).toEqual(['pause', 'resume']);
  });

  it('in the sidebar is one button with Resume', () => {
    const { node, sent, show } = row();
    const button = node.action('pause');
    button.click(1);
    show('running', 'paused');
    button.click(2);
    expect([node.action('resume'), button.getAttribute('aria-label'), sent]).toEqual([button, 'Resume pirate', ['twinkle:pause-run']]);
    button.click(1);
    show('paused', 'running');
    expect(button.getAttribute('aria-label')).toBe('Resume pirate');
    show('running', 'running');
    expect([node.action('pause'), sent.at(-1)]).toEqual([button, 'twinkle:resume-run']);
  });
});
