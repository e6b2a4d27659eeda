/**
 * Docker over SSH, as the Docker CLI does it: `ssh HOST docker system dial-stdio` is the connection. The ssh program is
 * used, so that the operator's ssh_config, agent and known hosts count.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { Agent } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Connection } from './docker-endpoint.ts';
import { HostError } from './host.ts';
import { findProgram, trustedPath } from './tools.ts';

/** What ssh said last, of why it ended, is read within it. */
const lastWordsMs = 1000;

type SshTarget = Extract<Connection, { kind: 'ssh' }>;

/** As one word of a POSIX shell, which is what runs the command at the other end. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The arguments of ssh (ssh(1)). Never asks for anything: a question would land in the middle of the screen. */
export function sshArguments(target: SshTarget): string[] {
  return [
    '-T',
    '-o',
    'BatchMode=yes',
    '-o',
    'ConnectTimeout=10',
    '-o',
    'ServerAliveInterval=15',
    ...(target.user ? ['-l', target.user] : []),
    ...(target.port ? ['-p', String(target.port)] : []),
    '--',
    target.host,
    'docker',
    ...(target.path ? ['--host', quoted(`unix://${target.path}`)] : []),
    'system',
    'dial-stdio',
  ];
}

/** A running ssh as a connection. node:http treats it as a socket, hence the methods of one that mean nothing here. */
class SshConnection extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  /** As net.Socket has it: no idle time-out. */
  readonly timeout = 0;

  constructor(target: SshTarget) {
    super();
    // It runs what the operator's ssh_config names, such as a ProxyCommand: that is not to be found in others' folders either.
    this.#child = spawn(findProgram('ssh', 'openssh-client'), sshArguments(target), {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH: trustedPath() },
    });
    let complaint = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-400);
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#child.stdout.pause();
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      this.destroy(
        missing
          ? new HostError('missing', 'ssh not found: install openssh-client')
          : new HostError('failed', `ssh could not be started: ${error.message}`),
      );
    });
    // A master connection (ControlPersist) or a ProxyCommand that ssh leaves behind holds its standard error.
    this.#child.on('exit', () => setTimeout(() => this.#child.stderr.destroy(), lastWordsMs).unref());
    this.#child.on('close', code => {
      if (code === 0) {
        this.push(null);
        return;
      }
      const words = complaint.trim().split('\n').at(-1) ?? '';
      this.destroy(new HostError('refused', `ssh to ${target.host} ended with status ${code}${words && `: ${words}`}`));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill();
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) pipe.destroy();
    done(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  /** Idle connections must not keep netdash from ending. */
  unref(): this {
    this.#child.unref();
    for (const pipe of this.#pipes()) pipe.unref();
    return this;
  }

  ref(): this {
    this.#child.ref();
    for (const pipe of this.#pipes()) pipe.ref();
    return this;
  }

  /** The pipes of a child are sockets to Node. */
  #pipes(): Socket[] {
    return [this.#child.stdin, this.#child.stdout, this.#child.stderr].filter(pipe => pipe instanceof Socket);
  }
}

/** An agent of node:http whose connections go through ssh, kept open between requests. */
export class SshAgent extends Agent {
  readonly #target: SshTarget;

  constructor(target: SshTarget) {
    super({ keepAlive: true });
    this.#target = target;
  }

  override createConnection(): Duplex {
    return new SshConnection(this.#target);
  }
}
