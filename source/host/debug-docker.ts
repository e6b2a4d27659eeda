/** The part of the debug log that is about Docker's API. */
import type { LogLine } from './debug-log.ts';
import type { DockerApi } from './host.ts';

/** What writes the lines. */
interface Notes {
  timed: <T>(ask: string, answer: Promise<T>, size: (value: T) => number) => Promise<T>;
  note: (startedAt: number, line: Omit<LogLine, 'at'>) => void;
}

/** The API, with every question written down, and of each event its kind. */
export function recordDocker(docker: DockerApi, { timed, note }: Notes): DockerApi {
  return {
    endpoint: docker.endpoint,
    close: () => docker.close?.(),
    get: (path, options) =>
      timed(`GET ${path}`, docker.get(path, options), answer => Buffer.byteLength(JSON.stringify(answer) ?? '')),
    events: (filters, onEvent, onOpen) => {
      const ask = 'GET /events';
      note(Date.now(), { ask, event: 'follow' });
      const subscription = docker.events(
        filters,
        event => {
          note(Date.now(), { ask, event: `${event.type} ${event.action} ${event.id.slice(0, 12)}`.trim() });
          onEvent(event);
        },
        () => {
          note(Date.now(), { ask, event: 'open' });
          onOpen?.();
        },
      );
      void subscription.ended.then(error =>
        note(Date.now(), { ask, event: 'end', ...(error && { state: 'failed' as const, reason: error.message }) }),
      );
      return subscription;
    },
  };
}
