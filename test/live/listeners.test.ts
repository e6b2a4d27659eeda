/** The host's listeners are followed although their tables are only read when the numbers of sockets change. */
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

labTest('listeners that open and close are told, and one that takes the place of another', {}, async lab => {
  const watch = await startWatch(lab);
  try {
    const told = (type: string, port: number) =>
      watch.next(event => event.type === type && event.text.includes(`:${port}/`));
    const first = await lab.listen({ address: '0.0.0.0', port: 5001 });
    await told('listener-opened', 5001);
    const udp = await lab.listen({ address: '::', port: 5002, proto: 'udp' });
    await told('listener-opened', 5002);
    await udp.close();
    await told('listener-closed', 5002);
    // As many sockets as before, unless netdash happened to look in between.
    const [second] = await Promise.all([lab.listen({ address: '0.0.0.0', port: 5003 }), first.close()]);
    await told('listener-opened', 5003);
    await told('listener-closed', 5001);
    await second.close();
    await told('listener-closed', 5003);
  } finally {
    await watch.stop();
  }
});
