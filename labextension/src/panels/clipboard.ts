/** The clipboard, which a browser may keep closed. */

/** @returns Whether it has the text now. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
