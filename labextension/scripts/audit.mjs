/**
 * Asks the registry for known weaknesses of everything in yarn.lock; fails where there is a high one.
 * A registry that answers no audits, as mirrors do, is said and is no failure.
 */

import { spawnSync } from 'node:child_process';

/** Yarn's code for a request that was not answered as it should be; networks have RequestError. */
const UNANSWERED = /YN0035|RequestError|ENOTFOUND|ECONNREFUSED|ETIMEDOUT/;

const { status, stdout, stderr, error } = spawnSync(
  'jlpm',
  ['npm', 'audit', '--all', '--recursive', '--severity', 'high'],
  { encoding: 'utf8', timeout: 120_000 }
);
const said = `${stdout ?? ''}${stderr ?? ''}`;
if (error === undefined && status === 0) {
  process.stdout.write('npm audit: nothing high or critical.\n');
} else if (UNANSWERED.test(said) || error?.code === 'ETIMEDOUT') {
  process.stdout.write('npm audit: this registry answers no audits; nothing was looked up.\n');
} else {
  process.stderr.write(said || `${error}\n`);
  process.exitCode = 1;
}
