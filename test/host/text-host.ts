/** A host made of texts, for what no machine can be brought to say at will: files that are torn, tools that are missing. */
import { HostError, type DockerApi, type Host, type Tool, type ToolResult } from '../../source/host/host.ts';

/** What a host consists of; anything not named is missing. */
export interface Texts {
  files?: Record<string, string | HostError>;
  links?: Record<string, string | HostError>;
  folders?: Record<string, string[]>;
  /** What a tool prints, by its command line. */
  tools?: Record<string, string | ToolResult | HostError>;
  uid?: number;
}

const missing = (what: string) => new HostError('missing', `${what}: no such file`);

const orThrow = <T>(value: T | HostError): Promise<T> =>
  value instanceof HostError ? Promise.reject(value) : Promise.resolve(value);

/** A host of these texts. `asked` collects the command lines that were run. */
export function textHost(texts: Texts): Host & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    kind: 'recording',
    name: 'texts',
    docker: {} as DockerApi,
    uid: texts.uid ?? 0,
    now: () => 0,
    readFile: path => orThrow(texts.files?.[path] ?? missing(path)),
    readFiles: paths => paths.map(path => texts.files?.[path] ?? missing(path)),
    readLinks: paths => paths.map(path => texts.links?.[path] ?? missing(path)),
    list: path => orThrow(texts.folders?.[path] ?? missing(path)),
    run: (tool: Tool, args: readonly string[]) => {
      const line = [tool, ...args].join(' ');
      asked.push(line);
      const answer = texts.tools?.[line] ?? new HostError('missing', `${tool} not found`);
      return orThrow(typeof answer === 'string' ? { code: 0, signal: null, stdout: answer, stderr: '' } : answer);
    },
    follow: () => ({ stop: () => undefined, ended: Promise.resolve(undefined) }),
  };
}
