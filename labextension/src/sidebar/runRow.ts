/** One run in the sidebar: its state, its curve, how far it is, and what can be done with it. */

import { onPress } from '../panels/button';
import { element, setAttribute, setText } from '../panels/dom';
import { formatDuration, formatLoss, formatProgress, STATE_WORDS } from '../panels/format';
import { stateIcon } from '../panels/icons';
import { isOver } from '../panels/run/model';
import { iconButton, nameButton, turnButton } from './buttons';
import { Commands } from './ids';
import type { Row } from './keyedList';
import { pendingWord, secondsLeft, type Run } from './model';
import type { MenuItem, SectionContext } from './section';
import { sparklinePath } from './sparkline';
import { formatAge } from './words';

const WIDTH = 72;
const HEIGHT = 22;
const SVG = 'http://www.w3.org/2000/svg';

export class RunRow implements Row<Run> {
  readonly node: HTMLElement;
  private run: Run;
  private readonly icon = stateIcon();
  private readonly name = element('span', 'jp-twinkle-side-name');
  private readonly open: HTMLButtonElement;
  /** Pause or resume, so that the focus stays where it is. */
  private readonly rest = iconButton('pause', '', () => undefined);
  private readonly stop = iconButton('stop', '', () => this.execute(Commands.stop));
  private readonly more = iconButton('more', '', () => this.context.openMenu(this.more, this.menu()));
  private readonly line = document.createElementNS(SVG, 'path');
  private readonly spark = document.createElementNS(SVG, 'svg');
  private readonly progress = element('span', 'jp-twinkle-side-progress');
  private readonly fill = element('div', 'jp-twinkle-side-fill');
  private readonly bar = element('div', 'jp-twinkle-side-bar', { role: 'progressbar', 'aria-valuemin': '0' }, this.fill);
  private readonly reason = element('div', 'jp-twinkle-side-reason');

  constructor(run: Run, private readonly context: SectionContext) {
    this.run = run;
    this.spark.setAttribute('viewBox', `-1 -2 ${WIDTH + 2} ${HEIGHT + 4}`);
    this.spark.setAttribute('class', 'jp-twinkle-side-spark');
    this.spark.setAttribute('role', 'img');
    this.spark.setAttribute('preserveAspectRatio', 'none');
    this.line.setAttribute('vector-effect', 'non-scaling-stroke');
    this.spark.append(this.line);
    this.open = element('button', 'jp-twinkle-side-open', { type: 'button', 'data-action': 'open' }, this.icon.node, this.name);
    this.open.onclick = () => this.execute(Commands.openRun);
    onPress(this.rest, () => this.execute(canResume(this.run) ? Commands.resume : Commands.pause));
    const head = element('div', 'jp-twinkle-side-head', {}, this.open, this.rest, this.stop, this.more);
    this.node = element(
      'li',
      'jp-twinkle-side-item',
      { 'data-run': run.run_id },
      head,
      element('div', 'jp-twinkle-side-facts', {}, this.spark, this.progress),
      this.bar,
      this.reason
    );
    this.node.oncontextmenu = event => {
      event.preventDefault();
      event.stopPropagation();
      context.openMenu(this.more, this.menu());
    };
  }

  show(run: Run): void {
    this.run = run;
    const { adapter } = run;
    const isDone = isOver(run.state);
    setAttribute(this.node, 'data-state', run.state);
    setAttribute(this.node, 'data-step', String(run.step));
    this.icon.show(run.state);
    setText(this.name, adapter);
    const word = pendingWord(run) || STATE_WORDS[run.state];
    setAttribute(this.open, 'aria-label', `${adapter}, ${word}: open its panel`);
    setAttribute(this.open, 'title', `${adapter} · rank ${run.rank} · ${run.base_model}${origin(run)}`);
    this.rest.hidden = this.stop.hidden = isDone;
    this.rest.disabled = this.stop.disabled = run.wanted === 'stopped';
    turnButton(this.rest, canResume(run) ? 'resume' : 'pause');
    nameButton(this.rest, `${canResume(run) ? 'Resume' : 'Pause'} ${adapter}`);
    nameButton(this.stop, `Stop ${adapter}`);
    nameButton(this.more, `More for ${adapter}`);
    this.showCurve(run);
    this.showProgress(run, isDone, word);
  }

  private showCurve(run: Run): void {
    const path = sparklinePath(run.points ?? [], WIDTH, HEIGHT);
    setAttribute(this.line, 'd', path);
    setAttribute(this.spark, 'aria-label', `Loss of ${run.adapter}, ${formatLoss(run.loss)} now`);
    this.spark.classList.toggle('jp-twinkle-mod-none', path === '');
  }

  private showProgress(run: Run, isDone: boolean, word: string): void {
    const left = secondsLeft(run);
    const parts = [
      ...(word === STATE_WORDS.running ? [] : [word]),
      run.step > 0 || run.total_steps > 0 ? formatProgress(run.step, run.total_steps) : 'before its first step',
      ...(run.loss === null ? [] : [`loss ${formatLoss(run.loss)}`]),
      ...(left === null ? [] : [`${formatDuration(left)} left`]),
      ...(isDone ? [formatAge(run.updated_at, Date.now())] : [])
    ];
    setText(this.progress, parts.filter(part => part !== '').join(' · '));
    const fraction = run.total_steps > 0 ? Math.min(1, run.step / run.total_steps) : 0;
    this.bar.hidden = isDone;
    setAttribute(this.bar, 'aria-label', `Progress of ${run.adapter}`);
    setAttribute(this.bar, 'aria-valuemax', String(Math.max(1, run.total_steps)));
    setAttribute(this.bar, 'aria-valuenow', String(run.step));
    this.fill.style.transform = `scaleX(${fraction})`;
    setText(this.reason, run.state === 'failed' ? run.reason : '');
  }

  private menu(): readonly MenuItem[] {
    const run = this.run;
    const args = { run: run.run_id, adapter: run.adapter };
    const going = [Commands.checkpoint];
    const commands = [Commands.openRun, Commands.chat, Commands.insertShow, Commands.fork, ...(isOver(run.state) ? [] : going)];
    return commands.map(command => ({ command, args }));
  }

  private execute(command: string): void {
    const { run_id: run, adapter } = this.run;
    void this.context.commands.execute(command, { run, adapter });
  }
}

function canResume(run: Run): boolean {
  return run.state === 'paused' || run.wanted === 'paused';
}

function origin(run: Run): string {
  return run.parent_run === '' ? '' : ` · from step ${run.parent_step} of ${run.parent_run}`;
}
