/** How many rounds a property gets. */

/** `FUZZ_TIMES=50` gives every property fifty times as many as in the everyday run. */
const times = Number(process.env['FUZZ_TIMES'] ?? 1);

/** @param everyday the rounds of the everyday run */
export const rounds = (everyday: number): number => Math.round(everyday * times);
