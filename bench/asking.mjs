/**
 * Asks the machine what netdash was seen to ask it (call-recorder.cjs), and throws the answers away: what the answers cost, without anything that is made of them.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, readSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';

/** The environment of the tools, as netdash gives it to them. */
export const env = { LC_ALL: 'C', PATH: process.env.PATH };

const chunk = Buffer.allocUnsafe(256 * 1024);
const agent = new Agent({ keepAlive: true });

const acts = {
  file: path => {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      while (readSync(file, chunk, 0, chunk.length, null) > 0);
    } finally {
      closeSync(file);
    }
  },
  link: path => readlinkSync(path),
  text: path => readFile(path, 'utf8'),
  folder: path => readdir(path),
  run: ([file, ...args]) =>
    new Promise((done, fail) => {
      const child = execFile(file, args, { env, maxBuffer: 64 << 20, encoding: 'utf8' }, error =>
        error ? fail(error) : done(),
      );
      child.stdin.end();
    }),
  docker: (path, socketPath) =>
    new Promise((done, fail) => {
      get({ socketPath, path, agent }, answer => {
        answer.on('data', () => undefined).on('close', done);
      }).on('error', fail);
    }),
};

/**
 * Makes one call.
 * @param call `kind` and `what`, as the recorder wrote them
 * @param socketPath Docker's socket
 * @returns whether it was answered; resolves, and never rejects, when it is over
 */
export async function ask({ kind, what }, socketPath) {
  try {
    await acts[kind](what, socketPath);
    return true;
  } catch {
    return false;
  }
}
