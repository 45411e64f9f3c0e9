/** A run's frames and commands over the kernel's comm, for front ends without the extension. */

import { isFields, list, number } from '../fields';
import { CommandFailedError, type Disposable, type Notice, type Transport } from '../panels/transport';
import { parseCommandResult, parseFrame, type CommandResult } from '../parsing';
import type { ActionBody, ActionName, RunFacts } from '../wire';

/** The part of anywidget's model that the host uses. */
export interface WidgetModel {
  get(name: string): unknown;
  on(event: 'msg:custom', callback: (message: unknown) => void): void;
  off(event: 'msg:custom', callback: (message: unknown) => void): void;
  send(content: unknown): void;
}

const PATIENCE_MS = 15_000;
/** Views that listen to a model in this page: the kernel is asked to stop when the last one goes. */
const viewsOf = new WeakMap<WidgetModel, number>();

/**
 * The kernel feeds all views of all pages at once. A view leaves out what begins beyond its own
 * position, which was on its way to others when it subscribed, and subscribes again where a page
 * without views has closed the feed.
 */
export class CommTransport implements Transport {
  constructor(private readonly model: WidgetModel) {}

  subscribe(after: number, onNotice: (notice: Notice) => void): Disposable {
    let last = after;
    let hasEnded = false;
    const onFrame = (message: unknown): void => {
      const frame = parseFrame(message);
      if (frame === null || (frame.type === 'event' && frame.id <= last)) {
        return;
      }
      last = frame.type === 'event' ? frame.id : last;
      hasEnded = frame.type === 'end';
      onNotice(frame);
    };
    const onMessage = (message: unknown): void => {
      const fields = isFields(message) ? message : {};
      if (fields['type'] === 'batch' && (number(fields['after']) ?? 0) <= last) {
        list(fields['frames']).forEach(onFrame);
      } else if (fields['type'] === 'closed' && !hasEnded) {
        this.model.send({ type: 'subscribe', after: last });
      }
    };
    this.model.on('msg:custom', onMessage);
    this.model.send({ type: 'subscribe', after });
    const views = (viewsOf.get(this.model) ?? 0) + 1;
    viewsOf.set(this.model, views);
    let isDisposed = false;
    return {
      dispose: () => {
        if (isDisposed) {
          return;
        }
        isDisposed = true;
        this.model.off('msg:custom', onMessage);
        const left = (viewsOf.get(this.model) ?? 1) - 1;
        viewsOf.set(this.model, left);
        if (left === 0) {
          this.model.send({ type: 'unsubscribe' });
        }
      }
    };
  }

  /** The comm carries the log and commands only. */
  facts(): Promise<RunFacts | null> {
    return Promise.resolve(null);
  }

  command(name: ActionName, body?: ActionBody): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (result: CommandResult): void => {
        clearTimeout(timer);
        this.model.off('msg:custom', onMessage);
        if (result.error === null) {
          resolve();
        } else {
          reject(new CommandFailedError(result.error));
        }
      };
      const onMessage = (message: unknown): void => {
        const result = parseCommandResult(message);
        if (result?.command === name) {
          settle(result);
        }
      };
      const timer = setTimeout(() => {
        const message = 'The kernel has not answered yet; it takes the command when its cell is done.';
        settle({ command: name, error: { code: 'service_unavailable', message, hint: '' } });
      }, PATIENCE_MS);
      this.model.on('msg:custom', onMessage);
      this.model.send({ type: 'command', command: name, ...(body === undefined ? {} : { body }) });
    });
  }
}
