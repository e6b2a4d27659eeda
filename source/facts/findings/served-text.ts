/** Words about published ports and the sockets behind them. */
import type { SocketReading } from '../../host/readings.ts';
import { placeText } from './shared.ts';

/** `0.0.0.0:8080 and [::]:8080`. */
export function placesText(places: readonly { address: string; port: number }[]): string {
  const texts = [...new Set(places.map(({ address, port }) => placeText(address, port)))];
  return texts.length < 3 ? texts.join(' and ') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

/** `127.0.0.1:80/tcp (httpd)`. */
export function ownProcessText({ address, port, proto, processes }: SocketReading): string {
  const name = processes?.[0]?.name;
  return `${placeText(address, port)}/${proto}${name === undefined ? '' : ` (${name})`}`;
}
