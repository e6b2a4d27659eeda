/** Numbers, times and addresses as an operator reads them. Pure: the time is a parameter. */

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const countUnits = ['', 'k', 'M', 'G', 'T', 'P'];

/** Three digits at most, in powers of 1000: 0, 999, 1.2, 12, 120. */
function scaled(value: number, units: readonly string[]): [string, string] {
  let scale = 0;
  let rest = value;
  while (rest >= 999.5 && scale < units.length - 1) {
    rest /= 1000;
    scale += 1;
  }
  return [scale > 0 && rest < 9.95 ? rest.toFixed(1) : rest.toFixed(0), units[scale]!];
}

/** Bytes in SI units: `0 B`, `1.2 kB`, `340 MB`. */
export function bytes(value: number): string {
  const [number, unit] = scaled(Math.max(0, value), byteUnits);
  return `${number} ${unit}`;
}

/** Bytes per second: `1.2 kB/s`. */
export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** A count: `950`, `1.2k`, `34M`. */
export function count(value: number): string {
  return scaled(value, countUnits).join('');
}

/** A span of time in its largest unit: `4s`, `3m`, `5h`, `2d`. Negative spans (clock skew) read as `0s`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** How long before `now` (ms since the epoch) an ISO time was: `3m ago`. */
export function ago(iso: string, now: number): string {
  return `${age(now - Date.parse(iso))} ago`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Local time of day: `09:41`. */
export function hoursMinutes(milliseconds: number): string {
  const at = new Date(milliseconds);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Local time of day with seconds: `09:41:05`. */
export function timeOfDay(milliseconds: number): string {
  return `${hoursMinutes(milliseconds)}:${two(new Date(milliseconds).getSeconds())}`;
}

const day = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** Local date and time: `2026-11-21 09:41:05`; today's (as of `now`) without the date. */
export function moment(iso: string, now: number): string {
  const at = new Date(iso);
  const time = timeOfDay(at.getTime());
  return day(at) === day(new Date(now)) ? time : `${day(at)} ${time}`;
}

/** A time in eleven columns at most: `09:41:05`, or `11-20 09:41` when it was not on the day of `now`. */
export function shortMoment(iso: string, now: number): string {
  const at = new Date(iso);
  const date = day(at);
  return date === day(new Date(now)) ? timeOfDay(at.getTime()) : `${date.slice(5)} ${hoursMinutes(at.getTime())}`;
}

/** `n thing` or `n things`. */
export function plural(number: number, singular: string, several = `${singular}s`): string {
  return `${number} ${number === 1 ? singular : several}`;
}

/** The twelve hex digits by which Docker's own CLI shows an id. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}
