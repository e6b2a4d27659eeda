/** A recorded host on which everything that can be named has a hostile name: at the source, below every parser. */
import type { Recording } from '../../source/host/recording/format.ts';
import { forField } from './payloads.ts';

type Json = unknown;
type Fields = Record<string, Json>;

const isFields = (value: Json): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const asFields = (value: Json): Fields => (isFields(value) ? value : {});
const asText = (value: Json): string => (typeof value === 'string' ? value : '');
const asList = (value: Json): Json[] => (Array.isArray(value) ? value : []);

/** Networks and modes whose names mean something to Docker. */
const reserved = new Set(['bridge', 'host', 'none', 'default', '']);
/** Interfaces that are renamed wherever they are named. */
const renamed = ['eth0', 'br-noicc'];

/** The fields that come from outside, as they are marked: `~field` ends each hostile text. */
export const shownFields = [
  'container',
  'image',
  'network',
  'alias',
  'link',
  'project',
  'service',
  'error',
  'hostname',
  'argument',
  'interface',
  'comm',
  'cmdline',
  'iptables-comment',
  'iptables-chain',
  'nft-comment',
  'nft-chain',
  'nft-table',
  'version',
] as const;
/** Fields that netdash has no use for. */
export const unusedFields = ['health', 'label', 'environment'] as const;

class Twister {
  readonly #payload: string;

  constructor(payload: string) {
    this.#payload = payload;
  }

  text(field: string, original: Json): string {
    return `${forField(this.#payload, 'text')}${asText(original)}~${field}`;
  }

  line(field: string, original = ''): string {
    return `${forField(this.#payload, 'line')}${original}~${field}`;
  }

  word(field: string, original = ''): string {
    return `${forField(this.#payload, 'word', 40)}${original}~${field}`;
  }

  network(name: Json): string {
    const known = asText(name);
    return reserved.has(known) || known.startsWith('container:') ? known : this.text('network', known);
  }

  interfaces(text: string): string {
    return renamed.reduce(
      (changed, name) =>
        changed.replaceAll(new RegExp(String.raw`(?<![\w.-])${name}(?![\w.-])`, 'g'), () =>
          this.word('interface', name),
        ),
      text,
    );
  }

  labels(labels: Json): Fields {
    return {
      ...asFields(labels),
      'com.docker.compose.project': this.text('project', ''),
      'com.docker.compose.service': this.text('service', ''),
      [this.text('label', 'key')]: this.text('label', 'value'),
    };
  }

  endpoints(networks: Json): Fields {
    return Object.fromEntries(
      Object.entries(asFields(networks)).map(([name, endpoint]) => {
        const known = asFields(endpoint);
        return [
          this.network(name),
          {
            ...known,
            Aliases: [...asList(known['Aliases']), this.text('alias', name)],
            DNSNames: [this.text('alias', name)],
            Links: [`${this.text('link', 'a')}:${this.text('link', 'b')}`],
          },
        ];
      }),
    );
  }

  listed(container: Fields): Fields {
    return {
      ...container,
      Names: asList(container['Names']).map(name => `/${this.text('container', asText(name).slice(1))}`),
      Image: this.text('image', container['Image']),
      Command: this.text('argument', container['Command']),
      Labels: this.labels(container['Labels']),
      HostConfig: { NetworkMode: this.network(asFields(container['HostConfig'])['NetworkMode']) },
      NetworkSettings: { Networks: this.endpoints(asFields(container['NetworkSettings'])['Networks']) },
    };
  }

  inspected(container: Fields): Fields {
    const state = asFields(container['State']);
    const config = asFields(container['Config']);
    const host = asFields(container['HostConfig']);
    const settings = asFields(container['NetworkSettings']);
    const failed = asText(state['Error']);
    return {
      ...container,
      Name: `/${this.text('container', asText(container['Name']).slice(1))}`,
      Args: [...asList(container['Args']), this.text('argument', '')],
      State: {
        ...state,
        Error: failed === '' ? '' : this.text('error', failed),
        Health: { Status: 'unhealthy', Log: [{ ExitCode: 1, Output: this.text('health', '') }] },
      },
      Config: {
        ...config,
        Image: this.text('image', config['Image']),
        Hostname: this.text('hostname', config['Hostname']),
        Env: [`SECRET=${this.text('environment', '')}`],
        Labels: this.labels(config['Labels']),
      },
      HostConfig: { ...host, NetworkMode: this.network(host['NetworkMode']) },
      NetworkSettings: { ...settings, Networks: this.endpoints(settings['Networks']) },
    };
  }

  docker(path: string, answer: Json): Json {
    if (path.startsWith('/containers/json')) return asList(answer).map(each => this.listed(asFields(each)));
    if (/^\/containers\/[0-9a-f]{64}\/json/.test(path)) return this.inspected(asFields(answer));
    if (path === '/networks') {
      return asList(answer).map(each => {
        const network = asFields(each);
        const options = Object.entries(asFields(network['Options'])).map(([name, value]) => [
          name,
          this.interfaces(asText(value)),
        ]);
        return {
          ...network,
          Name: this.network(network['Name']),
          Labels: this.labels({}),
          Options: Object.fromEntries(options),
        };
      });
    }
    if (path === '/info')
      return { ...asFields(answer), Name: this.text('host-name', ''), OperatingSystem: this.text('host-name', '') };
    if (path === '/version') return { ...asFields(answer), Version: this.text('version', asFields(answer)['Version']) };
    return answer;
  }

  file(path: string, content: string): string {
    if (/^\/proc\/\d+\/stat$/.test(path))
      return content.replace(/\((.*)\)/s, (_all, name: string) => `(${this.line('comm', name)})`);
    if (/^\/proc\/\d+\/cmdline$/.test(path)) return content === '' ? '' : `${content}${this.line('cmdline')}\0`;
    if (/^\/proc\/\d+\/cgroup$/.test(path) && !/[0-9a-f]{64}/.test(content))
      return `0::/system.slice/${this.word('unit')}.service\n`;
    if (path === '/proc/sys/kernel/hostname') return `${this.line('host-name')}\n`;
    return /^\/proc\/(?:self|\d+)\/net\//.test(path) ? this.interfaces(content) : content;
  }

  tool(command: string, output: string): string {
    if (command.startsWith('ip -j')) return this.json(output);
    if (command.startsWith('ss '))
      return output.replaceAll(/\(\("([^"]*)"/g, (_all, name: string) => `(("${this.word('comm', name)}"`);
    if (command.startsWith('nft -j')) return this.ruleset(output);
    if (/tables-save/.test(command)) return this.save(output);
    return output;
  }

  /** JSON of `ip`, which prints most control characters as they are. */
  json(output: string): string {
    const names = (value: Json): Json => {
      if (typeof value === 'string') return this.interfaces(value);
      if (Array.isArray(value)) return value.map(names);
      return isFields(value)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, names(item)]))
        : value;
    };
    return output.trim() === ''
      ? output
      : JSON.stringify(names(JSON.parse(output))).replaceAll(/\\u00([01][0-9a-f])/g, (_all, code: string) =>
          String.fromCharCode(Number.parseInt(code, 16)),
        );
  }

  ruleset(output: string): string {
    const { nftables } = JSON.parse(this.json(output).replaceAll(/[\0-\x1f]/g, '')) as { nftables: Json[] };
    const place = { family: 'inet', table: this.text('nft-table', '') };
    const chain = this.text('nft-chain', '');
    nftables.push(
      { table: { family: 'inet', name: place.table, handle: 900 } },
      { chain: { ...place, name: 'forward', handle: 1, type: 'filter', hook: 'forward', prio: 5, policy: 'accept' } },
      { chain: { ...place, name: chain, handle: 2 } },
      {
        rule: {
          ...place,
          chain: 'forward',
          handle: 3,
          comment: this.text('nft-comment', ''),
          expr: [{ jump: { target: chain } }],
        },
      },
      {
        rule: {
          ...place,
          chain,
          handle: 4,
          comment: this.text('nft-comment', ''),
          expr: [{ counter: { packets: 1, bytes: 1 } }, { drop: null }],
        },
      },
    );
    return JSON.stringify({ nftables });
  }

  save(output: string): string {
    const chain = this.word('iptables-chain');
    return this.interfaces(output)
      .replace(
        /^(\*filter\n(?::.*\n)*)/m,
        (_all, head: string) => `${head}:${chain} - [0:0]\n[1:1] -A FORWARD -j ${chain}\n`,
      )
      .replaceAll(
        / -j (?!DOCKER)/g,
        ` -m comment --comment "${this.line('iptables-comment').replaceAll(/["\\]/g, '\\$&')}" -j `,
      );
  }
}

/** @param payload stands before every name; see payloads.ts */
export function hostileRecording(base: Recording, payload: string): Recording {
  const twister = new Twister(payload);
  const changed = structuredClone(base);
  changed.title = twister.text('title', '');
  for (const frame of changed.frames) {
    for (const [path, entry] of Object.entries(frame.docker ?? {})) {
      if ('answer' in entry) entry.answer = twister.docker(path, entry.answer);
      else entry.message = twister.text('failure', entry.message);
    }
    const files: typeof frame.files = {};
    for (const [path, entry] of Object.entries(frame.files ?? {})) {
      files[twister.interfaces(path)] = typeof entry === 'string' ? twister.file(path, entry) : entry;
    }
    frame.files = files;
    for (const [command, entry] of Object.entries(frame.tools ?? {})) {
      if ('stdout' in entry) entry.stdout = twister.tool(command, entry.stdout);
    }
  }
  for (const { event } of changed.dockerEvents) {
    const { name } = event.attributes;
    if (name !== undefined) {
      event.attributes['name'] = event.type === 'network' ? twister.network(name) : twister.text('container', name);
    }
    event.attributes['image'] = twister.text('image', '');
  }
  for (const { lines } of Object.values(changed.followed ?? {})) {
    for (const line of lines) line.line = twister.interfaces(line.line);
  }
  return changed;
}
