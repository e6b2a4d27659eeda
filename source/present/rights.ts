/** The command that would let netdash see what it may not see now. docs/privileges.md says what each right shows. */
import type { Snapshot } from '../facts/schema.ts';

const forWantOfRights =
  /needs? root|needs? CAP_|permission denied on unix:|--net=host|--pid=host|hidden from this user/;
const defaultEndpoint = 'unix:///var/run/docker.sock';

/** The least that shows everything from inside a container, whose image is the reader's to name. */
const container = (endpoint: string, command: string): string => {
  const socket = endpoint.replace(/^unix:\/\//, '');
  const caps = ['NET_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'SYS_ADMIN'].map(name => `--cap-add ${name}`).join(' ');
  return `docker run --rm -it --net=host --pid=host --cap-drop ALL ${caps} -v ${socket}:/var/run/docker.sock IMAGE ${command}`;
};

/** Whether a source's reason is one that more rights would do away with. */
export const isForWantOfRights = (reason: string | undefined): boolean => forWantOfRights.test(reason ?? '');

/**
 * The exact command, where some source lacks rights; undefined where none does.
 * @param command what is to be run with them, such as `netdash doctor`
 */
export function commandWithRights(
  { sources, host, containers = [] }: Pick<Snapshot, 'sources' | 'host'> & Partial<Pick<Snapshot, 'containers'>>,
  command: string,
): string | undefined {
  const inside = containers.flatMap(({ listeners }) => listeners ?? []).map(({ unknown }) => unknown?.['v6only']);
  const reasons = [...Object.values(sources).map(({ reason }) => reason), ...inside].flatMap(reason =>
    reason !== undefined && isForWantOfRights(reason) ? [reason] : [],
  );
  if (reasons.length === 0) return undefined;
  const { dockerEndpoint: endpoint, root } = host;
  // Root that may not look is root in a container; one without the host's namespaces is in one whoever it is.
  if ((root || reasons.some(reason => /--(?:net|pid)=host/.test(reason))) && endpoint.startsWith('unix://'))
    return container(endpoint, command);
  return endpoint === defaultEndpoint ? `sudo ${command}` : `sudo ${command} --host ${endpoint}`;
}
