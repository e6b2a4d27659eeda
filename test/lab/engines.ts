/**
 * Other daemons on the lab's machine that speak Docker's language, beside its own dockerd: rootless Docker, run by an ordinary
 * user, and Podman. Both run from unpacked packages of the Debian release that the lab's dockerd is of.
 */
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { installed, suites, type DockerChoice } from './binaries.ts';
import { containerBody, networkBody, type ContainerOptions } from './containers.ts';
import { askEngine } from './engine.ts';
import { importImage } from './image.ts';
import type { Lab } from './lab.ts';
import { unpackTree } from './unpack.ts';

/** One such daemon; it ends with the lab. */
export interface Engine {
  /** Its socket, the same path on the machine and outside. */
  socket: string;
  /** `unix://` and the socket. */
  url: string;
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Creates and starts a container of the lab's image; returns its id. @throws EngineError when it does not start (it is left as created) */
  run(name: string, options?: ContainerOptions): Promise<string>;
  networkCreate(name: string): Promise<void>;
}

/** The user of `startRootlessDocker`. */
export const rootlessUser = 1000;

const inTree = join(dirname(fileURLToPath(import.meta.url)), 'in-tree.sh');
const common = 'base-files busybox-static coreutils dash grep iproute2 iptables mount procps runc util-linux'.split(
  ' ',
);

/** What makes the files below /etc writable there, in memory. */
const ownEtc = `
mkdir /tmp/etc /tmp/work
mount -t overlay -o lowerdir=/etc,upperdir=/tmp/etc,workdir=/tmp/work overlay /etc
chmod 1777 /tmp`;

// Rootless Docker's own script does the rest, from the user's namespace on (docs.docker.com/engine/security/rootless).
const rootlessScript = `set -e${ownEtc}
mount -t tmpfs tmpfs /dev/net
mknod -m 666 /dev/net/tun c 10 200
echo 'user:x:${rootlessUser}:${rootlessUser}::/var/lib/docker:/bin/sh' >>/etc/passwd
echo 'user:x:${rootlessUser}:' >>/etc/group
echo 'user:100000:65536' | tee /etc/subuid >/etc/subgid
mkdir -p /run/user/${rootlessUser}
chown ${rootlessUser}:${rootlessUser} /var/lib/docker /run/user/${rootlessUser}
exec /usr/bin/setpriv --reuid=${rootlessUser} --regid=${rootlessUser} --clear-groups /usr/bin/env \\
  HOME=/var/lib/docker XDG_RUNTIME_DIR=/run/user/${rootlessUser} PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /bin/sh /usr/share/docker.io/contrib/dockerd-rootless.sh --data-root /var/lib/docker/data --storage-driver vfs`;

const podmanScript = `set -e${ownEtc}
mkdir -p /etc/containers /run/podman
cat >/etc/containers/containers.conf <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
[containers]
log_driver = "k8s-file"
END
cat >/etc/containers/storage.conf <<'END'
[storage]
driver = "vfs"
graphroot = "/var/lib/docker/storage"
runroot = "/run/podman/storage"
END
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec /usr/bin/podman system service --time=0 unix:///run/podman/podman.sock`;

/** Why no packages can be had for them; undefined when nothing speaks against it. */
export const enginesObstacle = (): string | undefined =>
  ['apt-get', 'dpkg-deb', 'flock', 'setpriv'].every(name => installed(name) !== undefined)
    ? undefined
    : 'no apt to get rootless Docker and Podman with';

const start = async (
  lab: Lab,
  name: string,
  parts: { packages: readonly string[]; script: string; socket: string; image: string },
): Promise<Engine> => {
  const suite = suites[String(lab.dockerMajor) as DockerChoice];
  const tree = await unpackTree(suite, [...common, ...parts.packages], () => undefined);
  const data = join(lab.dir, 'data', name);
  const socket = join(lab.dir, 'run', parts.socket);
  const log = join(lab.dir, `${name}.log`);
  const script = join(lab.dir, `${name}.sh`);
  await writeFile(script, `mkdir -p "$2" && exec sh "$1" "$3" "$2" /var/lib/docker /bin/busybox sh -c "$4"`);
  const output = await open(log, 'a');
  const daemon = await lab.spawnInHost(['sh', script, inTree, data, tree, parts.script], {
    stdio: ['ignore', output.fd, output.fd],
    cwd: '/',
  });
  await output.close();
  let over = false;
  void daemon.exited.then(() => (over = true));
  const api: Engine['api'] = (method, path, body) => askEngine(socket, method, path, body);
  const answers = (): Promise<boolean> =>
    api('GET', '/_ping').then(
      () => true,
      () => false,
    );
  while (!(await answers())) {
    if (over)
      throw new Error(
        `${name} did not start: ${(await readFile(log, 'utf8')).trim().split('\n').slice(-5).join('\n')}`,
      );
    await sleep(100);
  }
  await mkdir(join(lab.dir, name));
  await importImage(socket, join(tree, 'usr', 'bin', 'busybox'), join(lab.dir, name));
  return {
    socket,
    url: `unix://${socket}`,
    api,
    run: async (container, options = {}) => {
      const body = containerBody({ image: parts.image, ...options });
      const { Id } = (await api('POST', `/containers/create?name=${container}`, body)) as { Id: string };
      await api('POST', `/containers/${Id}/start`);
      return Id;
    },
    networkCreate: async network => {
      await api('POST', '/networks/create', networkBody(network, {}));
    },
  };
};

/** Starts a rootless dockerd as `rootlessUser`, with slirp4netns and rootlesskit's own port driver. @throws with the end of its log */
export const startRootlessDocker = async (lab: Lab): Promise<Engine> => {
  const engine = await start(lab, 'rootless', {
    packages: ['containerd', 'docker.io', 'rootlesskit', 'slirp4netns', 'uidmap'],
    script: rootlessScript,
    socket: `user/${rootlessUser}/docker.sock`,
    image: 'web:1',
  });
  // For those who are to be refused by the socket, not by the folders that lead to it.
  await chmod(lab.dir, 0o755);
  return engine;
};

/** Starts `podman system service` as root, with netavark. @throws with the end of its log */
export const startPodman = (lab: Lab): Promise<Engine> =>
  start(lab, 'podman', {
    packages: ['aardvark-dns', 'conmon', 'netavark', 'podman', 'uidmap'],
    script: podmanScript,
    socket: 'podman/podman.sock',
    // It takes the name of an import, and not the tag.
    image: 'web:latest',
  });
