/** The checkpoints of one run at a time, read when they can be seen and when there is a newer one. */

import { element, setAttribute, setText } from '../panels/dom';
import { formatCount, formatMemory } from '../panels/format';
import { iconButton, nameButton } from './buttons';
import { attempt, isConfirmed } from './dialogs';
import { Commands } from './ids';
import { KeyedList, type Row } from './keyedList';
import { KeyedReading } from './keyedReading';
import type { Overview, Run } from './model';
import type { Checkpoint, Requests } from './requests';
import { Section, type SectionContext } from './section';
import { formatAge } from './words';

interface Kept {
  readonly run: Run;
  readonly checkpoint: Checkpoint;
}

export class CheckpointsSection extends Section {
  private readonly choice = element('select', 'jp-mod-styled jp-twinkle-side-select', { 'aria-label': 'Run whose checkpoints are shown' });
  private readonly list: KeyedList<Kept>;
  private readonly note = element('p', 'jp-twinkle-side-words');
  private runs: readonly Run[] = [];
  /** By the run and its newest checkpoint. */
  private readonly reading = new KeyedReading<readonly Kept[]>({
    found: found => {
      this.list.show(found);
      setText(this.note, found.length === 0 ? 'None of them is on disk any more.' : '');
    },
    failed: message => {
      this.list.show([]);
      setText(this.note, message);
    },
    again: () => {
      if (this.isVisible) {
        this.read();
      }
    }
  });

  constructor(
    context: SectionContext,
    private readonly requests: Requests
  ) {
    super('checkpoints', 'Checkpoints', context, false);
    this.list = new KeyedList('Checkpoints', kept => `${kept.run.run_id}/${kept.checkpoint.name}`, kept => new CheckpointRow(kept, context, kept => void this.remove(kept)));
    this.choice.onchange = () => this.read();
    this.body.append(this.choice, this.list.node, this.note);
  }

  override dispose(): void {
    this.reading.forget();
    super.dispose();
  }

  protected override count(overview: Overview): number {
    return overview.runs.filter(run => run.checkpoint !== '').length;
  }

  protected override fill(overview: Overview): void {
    this.runs = overview.runs.filter(run => run.checkpoint !== '');
    const known = new Map([...this.choice.options].map(option => [option.value, option]));
    if ([...known.keys()].join() !== this.runs.map(run => run.run_id).join()) {
      const chosen = this.choice.value;
      this.choice.replaceChildren(...this.runs.map(run => known.get(run.run_id) ?? element('option', '', { value: run.run_id }, `${run.adapter} (${run.run_id})`)));
      this.choice.value = this.runs.some(run => run.run_id === chosen) ? chosen : (this.runs[0]?.run_id ?? '');
    }
    if (overview.isLive) {
      this.read();
    }
  }

  protected override whenEmpty() {
    return { words: 'No checkpoints yet. A run keeps its newest ones by itself.', command: '', label: '' };
  }

  private read(): void {
    const run = this.runs.find(one => one.run_id === this.choice.value);
    if (run !== undefined && this.isOpen) {
      this.reading.read(`${run.run_id} ${run.checkpoint} ${run.state}`, async () => {
        const found = await this.requests.checkpoints(run.run_id);
        return found.map(checkpoint => ({ run, checkpoint })).reverse();
      });
    }
  }

  private async remove({ run, checkpoint }: Kept): Promise<void> {
    if (!(await isConfirmed(`Delete step ${checkpoint.step} of ${run.adapter}?`, 'Nobody can go on from it afterwards.'))) {
      return;
    }
    if (await attempt(() => this.requests.deleteCheckpoint(run.run_id, checkpoint.name))) {
      this.reading.forget();
      this.read();
    }
  }
}

class CheckpointRow implements Row<Kept> {
  readonly node: HTMLElement;
  private kept: Kept;
  private readonly name = element('span', 'jp-twinkle-side-name');
  private readonly facts = element('div', 'jp-twinkle-side-facts');
  private readonly fork: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;

  constructor(kept: Kept, context: SectionContext, onRemove: (kept: Kept) => void) {
    this.kept = kept;
    this.fork = iconButton('fork', '', () => {
      const { run, checkpoint } = this.kept;
      void context.commands.execute(Commands.fork, { run: run.run_id, adapter: run.adapter, step: checkpoint.step });
    });
    this.remove = iconButton('remove', '', () => onRemove(this.kept));
    const head = element('div', 'jp-twinkle-side-head', {}, this.name, this.fork, this.remove);
    this.node = element('li', 'jp-twinkle-side-item', { 'data-checkpoint': kept.checkpoint.name }, head, this.facts);
  }

  show(kept: Kept): void {
    this.kept = kept;
    const { checkpoint } = kept;
    const step = `step ${formatCount(checkpoint.step)}`;
    setText(this.name, [step, ...(checkpoint.label ? [checkpoint.label] : []), ...(checkpoint.is_best ? ['best'] : [])].join(' · '));
    setText(this.facts, `${formatMemory(checkpoint.size_bytes)} · ${formatAge(checkpoint.created_at, Date.now())}`);
    setAttribute(this.facts, 'title', checkpoint.folder);
    nameButton(this.fork, `Fork from ${step}`);
    nameButton(this.remove, `Delete ${step}`);
  }
}
