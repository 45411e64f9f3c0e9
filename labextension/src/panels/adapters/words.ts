/** Where an adapter is, in words. */

export const PLACE_WORDS = { active: 'in a slot', resident: 'in memory', stored: 'on disk', '': '' } as const;
