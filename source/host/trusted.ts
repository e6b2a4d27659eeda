/**
 * Whether a program may be run under its name: a PATH may hold folders into which others put what they like, and netdash
 * often runs as root.
 */
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';

/** Whether nobody but root, the user who runs netdash, and members of their own groups can change a file or what is in a folder. */
function isClosed(path: string): boolean {
  const { uid, gid, mode } = statSync(path);
  const byOthers = (mode & 0o002) !== 0;
  // Many systems give each user a group of his own and new files to it.
  const byGroup = (mode & 0o020) !== 0 && gid !== 0 && gid !== process.getegid?.();
  return (uid === 0 || uid === process.geteuid?.()) && !byOthers && !byGroup;
}

/** As `isClosed`, or a folder in which only the owner of a file can put another in its place (the sticky bit, as /tmp has). */
function isPassable(folder: string): boolean {
  const { uid, mode } = statSync(folder);
  return isClosed(folder) || (uid === 0 && (mode & 0o1000) !== 0);
}

/** Whether a folder, and all that it lies in, cannot be filled or exchanged by others. False for one that is not there. */
export function isTrustedFolder(folder: string): boolean {
  try {
    if (!isAbsolute(folder) || !isClosed(folder)) return false;
    return [folder, realpathSync(folder)].every(path => {
      for (let above = dirname(path); ; above = dirname(above)) {
        if (!isPassable(above)) return false;
        if (above === dirname(above)) return true;
      }
    });
  } catch {
    return false;
  }
}

/** Whether a program, what it is a link to, and the folders of both cannot be changed by others. False for what is no file. */
export function isTrustedProgram(path: string): boolean {
  try {
    const real = realpathSync(path);
    return (
      statSync(real).isFile() && isClosed(real) && isTrustedFolder(dirname(path)) && isTrustedFolder(dirname(real))
    );
  } catch {
    return false;
  }
}
