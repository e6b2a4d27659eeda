/** The one image of the lab: a static busybox with an httpd on port 80. */
import { setTimeout as sleep } from 'node:timers/promises';
import { chmod, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { askEngine } from './engine.ts';
import { ended } from './process.ts';

export const imageName = 'web:1';

/** What its httpd answers with. */
export const pageText = 'hello';

const applets =
  'cat echo false head httpd ifconfig ip kill ls nc netstat ping ps sh sleep test timeout touch true udhcpd wget'.split(
    ' ',
  );

const pack = async (folder: string): Promise<Buffer> => {
  const tar = spawn('tar', ['-C', folder, '--owner=0', '--group=0', '-c', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const parts: Buffer[] = [];
  tar.stdout.on('data', (part: Buffer) => parts.push(part));
  const { code } = await ended(tar);
  if (code !== 0) throw new Error(`tar ended with ${code}`);
  return Buffer.concat(parts);
};

/**
 * Builds the image and imports it into the daemon.
 * @param busybox path of a statically linked busybox
 * @param folder where to put its files for the moment
 */
export const importImage = async (socket: string, busybox: string, folder: string): Promise<void> => {
  const root = join(folder, 'image');
  for (const name of ['bin', 'etc', 'tmp', 'www']) await mkdir(join(root, name), { recursive: true });
  await copyFile(busybox, join(root, 'bin', 'busybox'));
  await chmod(join(root, 'bin', 'busybox'), 0o755);
  await Promise.all([
    ...applets.map(name => symlink('busybox', join(root, 'bin', name))),
    writeFile(join(root, 'etc', 'passwd'), 'root:x:0:0::/:/bin/sh\n'),
    writeFile(join(root, 'www', 'index.html'), `${pageText}\n`),
  ]);
  const [repository, tag] = imageName.split(':');
  const changes = ['EXPOSE 80', 'CMD ["httpd","-f","-p","80","-h","/www"]'].map(
    text => `&changes=${encodeURIComponent(text)}`,
  );
  const path = `/images/create?fromSrc=-&repo=${repository}&tag=${tag}${changes.join('')}`;
  const packed = await pack(root);
  const send = () => askEngine(socket, 'POST', path, packed);
  // A daemon that has only just come up has been seen to hang up in the midst of the archive.
  await send().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
    await sleep(500);
    await send();
  });
  await rm(root, { recursive: true });
};
