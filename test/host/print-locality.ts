/** Prints whether the daemon at the socket named first is found to be local, and why; run on a lab's machine. */
import { argv, stdout } from 'node:process';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { readDocker } from '../../source/host/docker.ts';
import { createLiveHost } from '../../source/host/live-host.ts';

const docker = connectDocker(resolveEndpoint({ flag: `unix://${argv[2]}`, env: {} }));
const { value } = await readDocker(createLiveHost({ docker }));
stdout.write(`${value.engine.local} ${value.engine.localReason}\n`);
