/** Bodies of the native protocol, by the names that OpenAPI has for them. */

import type { components } from './api';

export type Schemas = components['schemas'];
