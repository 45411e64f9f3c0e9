/** `text/event-stream` in pieces, as they come, to frames. */

export interface SseFrame {
  readonly event: string;
  readonly data: string;
}

export class SseReader {
  private readonly decoder = new TextDecoder();
  private rest = '';

  /** Take bytes and return the frames that they complete. */
  feed(bytes: Uint8Array): SseFrame[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    const blocks = this.rest.split(/\r?\n\r?\n/);
    this.rest = blocks.pop() ?? '';
    return blocks.map(frameOf).filter(frame => frame.data !== '');
  }
}

function frameOf(block: string): SseFrame {
  const lines = block.split(/\r?\n/);
  const value = (name: string) =>
    lines.filter(line => line.startsWith(`${name}:`)).map(line => line.slice(name.length + 1).replace(/^ /, ''));
  return { event: value('event')[0] ?? 'message', data: value('data').join('\n') };
}
