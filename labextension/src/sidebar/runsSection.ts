/** The runs of a user: those that go on first. */

import { element, setText } from '../panels/dom';
import { Commands } from './ids';
import { KeyedList } from './keyedList';
import { inOrder, type Overview, type Run } from './model';
import { RunRow } from './runRow';
import { isStartable, Section, whileUnknown, type SectionContext } from './section';

export class RunsSection extends Section {
  private readonly list: KeyedList<Run>;
  private readonly older = element('p', 'jp-twinkle-side-words');

  constructor(context: SectionContext) {
    super('runs', 'Runs', context);
    this.list = new KeyedList('Runs', run => run.run_id, run => new RunRow(run, context));
    this.body.append(this.list.node, this.older);
  }

  protected override count(overview: Overview): number {
    return overview.runs.length;
  }

  protected override fill(overview: Overview): void {
    this.list.show(inOrder(overview.runs));
    const num = overview.numOlderRuns;
    this.older.hidden = num === 0;
    setText(this.older, `${num} older ${num === 1 ? 'run is' : 'runs are'} in “%twinkle runs”.`);
  }

  protected override whileUnknown(overview: Overview) {
    return { words: whileUnknown(overview), hasButton: isStartable(overview) };
  }

  protected override whenEmpty() {
    const words = 'No runs yet. Train an adapter on a file of conversations (JSONL, CSV or Parquet), or in a notebook with “%twinkle train”.';
    return { words, command: Commands.train, label: 'Train on a file…' };
  }
}
