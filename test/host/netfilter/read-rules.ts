/** Run in a netns of its own by `netns.ts`: reads the rules there and prints them as JSON. */
import { HostError } from '../../../source/host/host.ts';
import { createLiveHost } from '../../../source/host/live-host.ts';
import { readNetfilter } from '../../../source/host/netfilter/netfilter.ts';

const unreachable = (): never => {
  throw new HostError('missing', 'there is no Docker here');
};

const host = createLiveHost({ docker: { endpoint: 'none', get: unreachable, events: unreachable } });

async function main(): Promise<void> {
  try {
    process.stdout.write(JSON.stringify(await readNetfilter(host)));
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    process.stdout.write(JSON.stringify({ error: { code: error.code, message: error.message } }));
  }
}

void main();
