// Preloaded by a test: the clock of this process is as many ms ahead as the file NETDASH_TEST_CLOCK says, which may change.
import { readFileSync } from 'node:fs';

const real = Date.now;
let ahead = 0;
const look = () => {
  try {
    ahead = Number(readFileSync(process.env.NETDASH_TEST_CLOCK, 'utf8')) || 0;
  } catch {
    ahead = 0;
  }
};
look();
setInterval(look, 20).unref();
Date.now = () => real() + ahead;
