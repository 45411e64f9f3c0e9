/**
 * Writes src/api.ts, the bodies of the native protocol as types, from the OpenAPI that the service's
 * tests keep on file; with `--check` says whether it is of that file.
 */

import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const SCHEMA = new URL('../../tests/contracts/openapi.json', import.meta.url);
const TYPES = new URL('../src/api.ts', import.meta.url);

const { info, openapi, components } = JSON.parse(await readFile(SCHEMA, 'utf8'));
// Paths are for whoever builds URLs from types; here only the bodies count.
const tree = await openapiTS({ openapi, info, paths: {}, components }, { immutable: true });
const made = `/** Made by scripts/make_api.mjs; not to be changed by hand. */\n\n${astToString(tree)}`;

if (process.argv.includes('--check')) {
  const known = await readFile(TYPES, 'utf8').catch(() => '');
  if (known !== made) {
    process.stderr.write('src/api.ts is not of tests/contracts/openapi.json: run `jlpm build:api`.\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(TYPES, made);
}
