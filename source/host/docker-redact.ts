/** Docker's answers without what must not leave the machine: environments and credentials. */
import { isObject } from './json.ts';

/** Members left out wherever they occur. /services has environments in its task templates; /info has proxies with passwords in their URLs. */
const secret = new Set([
  'Env',
  'HttpProxy',
  'HttpsProxy',
  'RegistryConfig',
  'IndexServerAddress',
  'Secrets',
  'Configs',
  // Options of logging and volume drivers hold tokens; those of networks are read by netdash and hold none.
  'LogConfig',
  'VolumeOptions',
]);
/** Members of no use to netdash that are large or hold output of programs. */
const bulky = new Set(['Runtimes', 'GraphDriver', 'MaskedPaths', 'ReadonlyPaths']);

/**
 * A Docker answer without environment variables, credentials and output of health checks. Labels and command lines stay:
 * netdash shows them.
 */
export function redact(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(redact);
  if (!isObject(answer)) return answer;
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(answer)) {
    if (secret.has(name) || bulky.has(name)) continue;
    // Health.Log holds what the checks printed.
    if (name === 'Health' && isObject(value)) {
      const { Log: _log, ...health } = value;
      kept[name] = redact(health);
      continue;
    }
    kept[name] = redact(value);
  }
  return kept;
}

/** An inspect answer fit for the screen: Docker's own JSON less what `redact` takes out. */
export function redactInspect(answer: unknown): unknown {
  return redact(answer);
}
