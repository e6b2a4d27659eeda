/** Makes the lab's machine a swarm of one node. */
import { setTimeout as sleep } from 'node:timers/promises';
import { imageName } from '../image.ts';
import type { Lab } from '../lab.ts';

/** What is true of the swarm seed. */
export interface Swarm {
  /** An attachable overlay network, and the container on it that belongs to no service. */
  network: string;
  container: string;
  /** A service with one task; its port is published through the ingress network. */
  service: string;
  publishedPort: number;
  targetPort: number;
}

interface Task {
  Status: { State: string; Err?: string };
}

/**
 * A container on an attachable overlay network, and a service with a published port, which Docker's services API knows and
 * no container does. Where the kernel has no IPVS, the port carries no traffic.
 * @throws when the service's task does not come up
 */
export const seedSwarm = async (lab: Lab): Promise<Swarm> => {
  const swarm: Swarm = { network: 'mesh', container: 'meshed', service: 'shop', publishedPort: 8300, targetPort: 80 };
  const { host } = lab.addresses;
  await lab.api('POST', '/swarm/init', { ListenAddr: `${host}:2377`, AdvertiseAddr: host });
  await lab.networkCreate(swarm.network, { driver: 'overlay', attachable: true });
  await lab.run(swarm.container, { network: swarm.network });
  await lab.api('POST', '/services/create', {
    Name: swarm.service,
    TaskTemplate: { ContainerSpec: { Image: imageName, StopSignal: 'SIGKILL' }, Networks: [{ Target: swarm.network }] },
    Mode: { Replicated: { Replicas: 1 } },
    EndpointSpec: {
      Ports: [
        { Protocol: 'tcp', PublishedPort: swarm.publishedPort, TargetPort: swarm.targetPort, PublishMode: 'ingress' },
      ],
    },
  });
  for (;;) {
    const filter = encodeURIComponent(JSON.stringify({ service: [swarm.service] }));
    const tasks = (await lab.api('GET', `/tasks?filters=${filter}`)) as Task[];
    if (tasks.some(task => task.Status.State === 'running')) return swarm;
    const failed = tasks.filter(task => task.Status.State === 'failed' || task.Status.State === 'rejected');
    if (failed.length > 2) throw new Error(`the service does not come up: ${failed[0]?.Status.Err}`);
    await sleep(100);
  }
};
