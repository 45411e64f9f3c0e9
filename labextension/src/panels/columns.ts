/** Columns of a table whose rows can be sorted by any of them. */

/** A column: its heading, what its cell says, and what it is sorted by. */
export interface Column<One> {
  readonly heading: string;
  readonly text: (one: One) => string;
  /** What is not known is null, and comes last whichever way it is sorted. */
  readonly key: (one: One) => number | string | null;
}

/**
 * The rows in another order.
 *
 * @param between Which of two that are alike comes first: negative for the former.
 */
export function sortedBy<One>(
  rows: readonly One[],
  { key }: Column<One>,
  isDescending: boolean,
  between: (a: One, b: One) => number
): readonly One[] {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [one, other] = [key(a), key(b)];
    if (one === null || other === null || one === other) {
      return Number(one === null) - Number(other === null) || between(a, b);
    }
    return sign * (typeof one === 'number' && typeof other === 'number' ? one - other : String(one).localeCompare(String(other)));
  });
}
