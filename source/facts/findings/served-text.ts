/** Words about published ports and the sockets behind them. */
import type { SocketReading } from '../../host/readings.ts';
import { listText } from '../holders.ts';
import type { ServedPort } from './behind-port.ts';
import { placeText } from './shared.ts';

/** `80/tcp`, `7000-7003/tcp and 53/udp`: runs of ports are joined. */
export function servedText(served: readonly ServedPort[]): string {
  const runs: { proto: string; from: number; to: number }[] = [];
  for (const { proto, port } of [...served].sort((a, b) =>
    a.proto < b.proto ? -1 : a.proto > b.proto ? 1 : a.port - b.port,
  )) {
    const last = runs.at(-1);
    if (last?.proto === proto && last.to + 1 === port) last.to = port;
    else runs.push({ proto, from: port, to: port });
  }
  return listText(runs.map(({ proto, from, to }) => `${from === to ? from : `${from}-${to}`}/${proto}`));
}

/** Where they are published: `0.0.0.0:8080 and [::]:8080`; of many only the first. */
export function placesText(served: readonly ServedPort[]): string {
  const texts = [
    ...new Set(served.flatMap(({ places }) => places).map(({ address, port }) => placeText(address, port))),
  ];
  return listText(texts, 4);
}

/** `127.0.0.1:80/tcp (httpd)`, `0.0.0.0:80/tcp on eth1`, distinct ones joined. */
export function socketsText(sockets: readonly SocketReading[]): string {
  const texts = sockets.map(({ address, port, proto, device, processes }) => {
    const name = processes?.[0]?.name;
    const bound = device === undefined ? '' : ` on ${device}`;
    return `${placeText(address, port)}/${proto}${bound}${name === undefined ? '' : ` (${name})`}`;
  });
  return listText([...new Set(texts)], 4);
}

/** How to look into a container's netns without netdash. */
export const insideCommand = ({ container }: ServedPort): string => `nsenter -t ${container.pid} -n ss -tulnp`;
