import { describe, expect, it, vi } from 'vitest';
import { isEnter, keepKeys, onEnter } from '../panels/entry';

function press(key: string, held: Partial<KeyboardEvent> = {}) {
  const [stopPropagation, preventDefault] = [vi.fn(), vi.fn()];
  const keys = { key, code: '', ctrlKey: false, metaKey: false, altKey: false, isComposing: false, ...held };
  return { stopPropagation, preventDefault, event: { ...keys, stopPropagation, preventDefault } as unknown as KeyboardEvent };
}

/** Whether the page may still see it. */
function isPassedOn({ event, stopPropagation }: ReturnType<typeof press>): boolean {
  keepKeys(event);
  return stopPropagation.mock.calls.length === 0;
}

describe('what is typed into a field', () => {
  it('is kept from the notebook, save what is the page’s with Ctrl or ⌘', () => {
    expect(['s', 'd', 'Enter', 'ArrowDown', 'Escape'].filter(key => isPassedOn(press(key)))).toEqual([]);
    expect(['s', 'S', 'b', 'f'].filter(key => !isPassedOn(press(key, { ctrlKey: true })))).toEqual([]);
    expect(isPassedOn(press('s', { metaKey: true }))).toBe(true);
  });

  it('is edited by the field alone', () => {
    const editing = ['a', 'c', 'v', 'x', 'y', 'z', 'Z', 'Enter', 'Backspace', 'ArrowLeft'];
    expect(editing.filter(key => isPassedOn(press(key, { ctrlKey: true })))).toEqual([]);
    expect(isPassedOn(press('я', { code: 'KeyZ', ctrlKey: true }))).toBe(false);
    expect(isPassedOn(press('ą', { ctrlKey: true, altKey: true }))).toBe(false);
  });

  it('is sent by Enter, which an input method may need first', () => {
    const act = vi.fn();
    const input = {} as HTMLInputElement;
    onEnter(input, act);
    const ofMethod = press('Enter', { isComposing: true });
    input.onkeydown?.(ofMethod.event);
    expect([act.mock.calls.length, ofMethod.preventDefault.mock.calls.length, isEnter(ofMethod.event)]).toEqual([0, 0, false]);
    input.onkeydown?.(press('Enter').event);
    expect(act).toHaveBeenCalledOnce();
  });
});
