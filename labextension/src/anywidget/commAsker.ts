/** Questions over the kernel's comm, for front ends without the extension. */

import { isFields, text } from '../fields';
import type { Asker, Question } from '../panels/asker';
import { CommandFailedError } from '../panels/transport';
import { parseWireError } from '../parsing';
import type { ActionBody } from '../wire';
import type { WidgetModel } from './commTransport';

let newest = 0;

export class CommAsker implements Asker {
  constructor(private readonly model: WidgetModel) {}

  ask(question: Question, body: ActionBody, onPart?: (text: string) => void, signal?: AbortSignal): Promise<unknown> {
    newest += 1;
    const id = `${Date.now()}-${newest}`;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.model.off('msg:custom', onMessage);
        signal?.removeEventListener('abort', onAbort);
      };
      const onMessage = (message: unknown): void => {
        if (!isFields(message) || message['id'] !== id) {
          return;
        }
        if (message['type'] === 'part') {
          onPart?.(text(message['text']));
          return;
        }
        end();
        if (isFields(message['error'])) {
          reject(new CommandFailedError(parseWireError(message['error'])));
        } else {
          resolve(message['result']);
        }
      };
      const onAbort = (): void => {
        end();
        this.model.send({ type: 'cancel', id });
        reject(new CommandFailedError({ code: 'cancelled', message: 'Stopped.', hint: '' }));
      };
      this.model.on('msg:custom', onMessage);
      signal?.addEventListener('abort', onAbort);
      this.model.send({ type: 'ask', id, question, body });
    });
  }
}
