/**
 * One small JSON file that outlives netdash: read, and written whole. Several netdash may write it: each merges what it
 * knows into what is there, under a lock. Nothing planted in its folder is followed or trusted.
 */
import { constants } from 'node:fs';
import { chown, lstat, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The home folder: what HOME says, else the user database; undefined for a user without one. */
function homeFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const named = env['HOME'];
  if (named && isAbsolute(named)) return named;
  try {
    const { homedir: home } = userInfo();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where netdash keeps its state (XDG Base Directory Specification; a relative XDG_STATE_HOME is to be ignored).
 * @returns '' for a user of whom no home folder is known: a `StateFile` there says so
 */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['XDG_STATE_HOME'];
  if (named && isAbsolute(named)) return join(named, 'netdash');
  const home = homeFolder(env);
  return home === undefined ? '' : join(home, '.local', 'state', 'netdash');
}

/** What a state file holds. */
export interface StateFormat<T> {
  /** Understands what the file says. @throws Error with one line when it is not of this form */
  parse(json: unknown): T;
  /** Joins what this netdash knows with what another one wrote. */
  merge(own: T, other: T): T;
}

/** A write takes milliseconds: a lock this old was left by one that died. */
const staleLockMs = 5000;
const lockPatienceMs = 1000;
const largestFile = 16 * 1024 * 1024;

const errnoOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** Why a file operation failed, in the operator's words. */
export function fileProblem(error: unknown): string {
  const words: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    ENOTDIR: 'a part of the path is no folder',
    ELOOP: 'it is a symbolic link',
  };
  return words[errnoOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

/** A state file. Nothing is touched before `load` or `save`. */
export class StateFile<T> {
  readonly path: string;
  readonly #folder: string;
  readonly #format: StateFormat<T>;

  /** @param folder is made when something is written, with mode 0700; '': there is no place for it */
  constructor(folder: string, name: string, format: StateFormat<T>) {
    this.#folder = folder;
    this.path = join(folder, name);
    this.#format = format;
  }

  /**
   * What the file says; undefined when there is none yet.
   * @throws Error in one line when it cannot be read or is not understood
   */
  async load(): Promise<T | undefined> {
    this.#mustHavePlace();
    let text: string;
    try {
      const file = await open(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const info = await file.stat();
        if (!info.isFile()) throw new Error('it is no file');
        if (info.size > largestFile) throw new Error('it is too large');
        text = await file.readFile('utf8');
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw new Error(`${this.path} cannot be read: ${fileProblem(error)}`, { cause: error });
    }
    try {
      return this.#format.parse(JSON.parse(text));
    } catch (error) {
      throw new Error(
        `${this.path} is ignored: ${error instanceof SyntaxError ? 'it is damaged' : fileProblem(error)}`,
        { cause: error },
      );
    }
  }

  /**
   * Writes `value`, joined with what another netdash may have written since.
   * @throws Error in one line when it cannot be written
   */
  async save(value: T): Promise<void> {
    this.#mustHavePlace();
    try {
      const owner = await makeFolder(this.#folder);
      const lock = await takeLock(`${this.path}.lock`, owner);
      try {
        // What cannot be understood is another version's or damaged: it is replaced.
        const other = await this.load().catch(() => undefined);
        await replace(this.path, JSON.stringify(other === undefined ? value : this.#format.merge(value, other)), owner);
      } finally {
        await lock.release();
      }
    } catch (error) {
      throw new Error(`${this.path} cannot be written: ${fileProblem(error)}`, { cause: error });
    }
  }

  #mustHavePlace(): void {
    if (this.#folder === '')
      throw new Error('ports are not kept between runs: no home folder is known, set XDG_STATE_HOME');
  }
}

/** Whom files belong to; absent: to whoever made them. */
interface Owner {
  uid: number;
  gid: number;
}

/**
 * Makes the folder and its missing parents, mode 0700. Under sudo the folder may be in another user's home: what root makes
 * there is given to the owner of the folder it is made in, or that user would be locked out.
 */
async function makeFolder(folder: string): Promise<Owner | undefined> {
  const missing: string[] = [];
  let place = folder;
  let info = await lstat(place).catch(nullIfMissing);
  while (info === null) {
    missing.unshift(place);
    place = dirname(place);
    info = await stat(place).catch(nullIfMissing);
  }
  if (!info.isDirectory()) throw new Error(`${place} is ${info.isSymbolicLink() ? 'a symbolic link' : 'no folder'}`);
  const owner = process.geteuid?.() === 0 && info.uid !== 0 ? { uid: info.uid, gid: info.gid } : undefined;
  for (const path of missing) {
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    if (owner) await chown(path, owner.uid, owner.gid);
  }
  return owner;
}

function nullIfMissing(error: unknown): null {
  if (errnoOf(error) === 'ENOENT') return null;
  throw error;
}

const createNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

async function takeLock(path: string, owner: Owner | undefined): Promise<{ release(): Promise<void> }> {
  const deadline = performance.now() + lockPatienceMs;
  for (;;) {
    try {
      const file = await open(path, createNew, 0o600);
      if (owner) await file.chown(owner.uid, owner.gid);
      await file.close();
      return { release: () => unlink(path).catch(() => undefined) };
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const age = await lstat(path).then(
      info => Date.now() - info.mtimeMs,
      () => 0,
    );
    if (age > staleLockMs) await breakLock(path);
    else if (performance.now() > deadline) throw new Error(`another netdash has held ${path} for too long`);
    else await sleep(20);
  }
}

/** Moves the lock aside before it is removed, so that of two that find it stale only one breaks it. */
async function breakLock(path: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  await rename(path, aside)
    .then(() => unlink(aside))
    .catch(nullIfMissing);
}

/** Writes beside the file and renames: a reader sees the old text or the new one. */
async function replace(path: string, text: string, owner: Owner | undefined): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(beside, createNew, 0o600);
    try {
      if (owner) await file.chown(owner.uid, owner.gid);
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    throw error;
  }
}
