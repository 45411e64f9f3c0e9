/** The fixed parts of the panel and how they follow a view. The plot and the buttons are apart. */

import type { RunFacts } from '../../wire';
import { element, setAttribute, setText } from '../dom';
import {
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatMemory,
  formatPhases,
  formatProgress,
  formatRate,
  STATE_WORDS
} from '../format';
import { stateIcon } from '../icons';
import { bestOf, isOver, secondsLeft, secondsTaken, type Connection, type RunView } from './model';
import { MemoryBar } from './memoryBar';
import { ProbeList } from './probeList';

const DETAILS_TITLE =
  'The lowest held-out loss; of the newest step what its loss says beside itself, the gradient norm before clipping, and where its time went (waiting is for others); ' +
  'the memory that the trainer needs at most for this run is an estimate';

interface Figure {
  readonly node: HTMLElement;
  readonly name: HTMLElement;
  readonly value: HTMLElement;
}

export class PanelLayout {
  readonly root: HTMLElement;

  private readonly icon = stateIcon();
  private readonly stateWord = element('span', 'jp-twinkle-state-word');
  private readonly state = element('span', 'jp-twinkle-state', {}, this.icon.node, this.stateWord);
  private readonly connection = element('span', 'jp-twinkle-connection', {
    role: 'status',
    'aria-live': 'polite'
  });
  private readonly bar = element('div', 'jp-twinkle-bar-fill');
  private readonly progress = element(
    'div',
    'jp-twinkle-bar',
    { role: 'progressbar', 'aria-label': 'Steps', 'aria-valuemin': '0' },
    this.bar
  );
  private readonly steps = element('span', 'jp-twinkle-steps');
  private readonly message = element('span', 'jp-twinkle-message');
  private readonly notice = element('div', 'jp-twinkle-notice', { role: 'status', hidden: '' });
  private readonly details = element('div', 'jp-twinkle-details', { title: DETAILS_TITLE, hidden: '' });
  private readonly memory = new MemoryBar();
  private readonly reason = element('div', 'jp-twinkle-reason', { hidden: '' });
  private readonly figures = {
    train: figure('Train loss', 'jp-twinkle-mod-train'),
    eval: figure('Held-out loss', 'jp-twinkle-mod-eval'),
    rate: figure('Tokens/s'),
    time: figure('Time left'),
    learningRate: figure('Learning rate')
  };

  private readonly origin = element('span', 'jp-twinkle-origin', { hidden: '' });
  private readonly probes: ProbeList;

  constructor(
    runId: string,
    adapter: string,
    parts: { readonly controls: HTMLElement; readonly steering: HTMLElement; readonly plot: HTMLElement },
    onSelect: (step: number | null) => void
  ) {
    this.probes = new ProbeList(onSelect);
    const title = element('span', 'jp-twinkle-title', { title: runId }, adapter || runId);
    this.root = element(
      'section',
      'jp-twinkle-run',
      { role: 'region', 'aria-label': `Run of ${adapter || runId}`, 'data-twinkle-run': runId },
      element('div', 'jp-twinkle-head', {}, title, this.origin, this.state, this.connection, parts.controls),
      this.progress,
      element('div', 'jp-twinkle-caption', {}, this.steps, this.message),
      this.reason,
      this.notice,
      element('dl', 'jp-twinkle-figures', {}, ...Object.values(this.figures).map(f => f.node)),
      this.details,
      this.memory.node,
      parts.steering,
      parts.plot,
      this.probes.node
    );
  }

  /** What tests and other code read from the outside. */
  mark(view: RunView, connection: Connection): void {
    setAttribute(this.root, 'data-state', view.state);
    setAttribute(this.root, 'data-step', String(view.step));
    setAttribute(this.root, 'data-points', String(view.points.length));
    setAttribute(this.root, 'data-connection', connection);
    setAttribute(this.root, 'data-last-event-id', String(view.lastEventId));
  }

  showConnection(text: string): void {
    setText(this.connection, text);
    this.connection.title = text;
  }

  /** Say which run this one was forked from. */
  showOrigin(facts: RunFacts): void {
    setText(this.origin, `from ${facts.parentRun}@${facts.parentStep}`);
    this.origin.hidden = facts.parentRun === '';
  }

  show(view: RunView, isLive: boolean, selected: number | null): void {
    this.icon.show(view.state);
    setText(this.stateWord, STATE_WORDS[view.state]);
    this.showProgress(view);
    setText(this.reason, view.reason);
    this.reason.hidden = view.reason === '';
    setText(this.notice, view.notice);
    this.notice.hidden = view.notice === '';
    const details = detailsOf(view);
    setText(this.details, details);
    this.details.hidden = details === '';
    this.memory.show(view.memoryBytes, view.machineBytes);
    this.showFigures(view, isLive);
    this.probes.show(view.probes, view.writing, selected);
  }

  private showProgress(view: RunView): void {
    const isWaiting = view.step === 0 && !isOver(view.state) && view.state !== 'paused';
    const share = view.totalSteps > 0 ? view.step / view.totalSteps : 0;
    const fraction = isWaiting ? (view.fraction ?? 0) : share;
    const isUnknown = isWaiting && view.fraction === null;
    this.progress.classList.toggle('jp-twinkle-mod-unknown', isUnknown);
    this.bar.style.transform = isUnknown ? '' : `scaleX(${Math.min(1, fraction).toFixed(4)})`;
    setAttribute(this.progress, 'aria-valuemax', String(isWaiting ? 1 : view.totalSteps || 1));
    if (isUnknown) {
      this.progress.removeAttribute('aria-valuenow');
    } else {
      setAttribute(this.progress, 'aria-valuenow', String(isWaiting ? fraction : view.step));
    }
    setText(this.steps, formatProgress(view.step, view.totalSteps));
    setText(this.message, messageOf(view));
  }

  private showFigures(view: RunView, isLive: boolean): void {
    const figures = this.figures;
    const over = isOver(view.state);
    const left = isLive ? secondsLeft(view) : null;
    const time = over ? secondsTaken(view) : left;
    setText(figures.train.value, formatLoss(view.points.at(-1)?.[1]));
    setText(figures.eval.value, formatLoss(view.evalPoints.at(-1)?.[1]));
    setText(figures.rate.value, formatRate(view.tokensPerSecond));
    setText(figures.time.name, over ? 'Took' : 'Time left');
    setText(figures.time.value, formatDuration(time));
    setText(figures.learningRate.value, formatLearningRate(view.learningRate));
  }
}

function figure(name: string, modifier = ''): Figure {
  const term = element('dt', `jp-twinkle-figure-name ${modifier}`.trim(), {}, name);
  const value = element('dd', 'jp-twinkle-figure-value');
  return { node: element('div', 'jp-twinkle-figure', {}, term, value), name: term, value };
}

function detailsOf(view: RunView): string {
  const norm = view.gradNorm === null ? '' : `gradient norm ${formatLoss(view.gradNorm)}`;
  const isAlone = view.memoryBytes > 0 && view.machineBytes === 0;
  const memory = isAlone ? `needs about ${formatMemory(view.memoryBytes)}` : '';
  const best = bestOf(view.evalPoints);
  const lowest = best === null ? '' : `best held-out loss ${formatLoss(best[1])} at step ${best[0]}`;
  const metrics = Object.entries(view.metrics).map(([name, value]) => `${name.replaceAll('_', ' ')} ${formatLoss(value)}`);
  return [...metrics, lowest, norm, formatPhases(view.phases), memory].filter(part => part !== '').join(' · ');
}

function messageOf(view: RunView): string {
  if (view.message === '') {
    return '';
  }
  const percent = view.fraction === null ? '' : ` (${Math.round(100 * view.fraction)} %)`;
  return `${view.message}${percent}…`;
}
