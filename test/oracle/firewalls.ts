/** ufw and firewalld as Debian packages them, run on a lab's machine. */
import type { Lab } from '../lab/lab.ts';
import type { FirewallTree } from './firewall-tree.ts';

/** A state of a firewall, reached by its own commands. */
export interface FirewallScene {
  title: string;
  /** What is used of that netdash does not evaluate; undefined when all can be judged. */
  outside?: string;
  /** Words are divided by blanks; a `_` inside a word becomes one. */
  commands: string[];
}

/** Each goes on from the one before. */
export const ufwScenes: readonly FirewallScene[] = [
  {
    title: 'deny incoming, ssh for all, 9001 and 9003 for the LAN',
    commands: [
      'ufw default deny incoming',
      'ufw allow 22/tcp',
      'ufw allow from 10.77.0.0/24 to any port 9001 proto tcp',
      'ufw allow from fd00:77::/64 to any port 9003 proto tcp',
      'ufw --force enable',
    ],
  },
  {
    title: 'what containers may ask of the host, refusals, and rules of order',
    commands: [
      'ufw allow in on docker0 to any port 22 proto tcp',
      'ufw reject in on eth0 to any port 443 proto tcp',
      'ufw insert 1 deny from 203.0.113.0/24',
      'ufw allow proto tcp from any to 10.77.0.100 port 8070,9100:9103',
      'ufw deny out on br-plain',
    ],
  },
  {
    title: 'routed: denied, but for some',
    commands: [
      'ufw default deny routed',
      'ufw route allow in on eth0 out on br-six',
      'ufw route reject in on eth0 out on br-app from 203.0.113.0/24',
    ],
  },
];

/** Those with ufw-docker's block in after.rules. */
export const ufwDockerScenes: readonly FirewallScene[] = [
  { title: 'ufw-docker: nothing published for the world', commands: ['ufw --force enable'] },
  {
    title: 'ufw-docker: one container for some, another for all',
    commands: [
      'ufw route allow proto tcp from 203.0.113.0/24 to 172.17.0.2 port 80',
      'ufw route allow proto tcp from any to 172.30.1.2 port 80',
    ],
  },
];

// github.com/chaifeng/ufw-docker, with 10/8 taken out of the private networks: the lab's LAN is in it.
const ufwDockerRules = `
# BEGIN UFW AND DOCKER
*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward

-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -m conntrack --ctstate INVALID -j DROP
-A DOCKER-USER -i docker0 -o docker0 -j ACCEPT

-A DOCKER-USER -j RETURN -s 192.168.0.0/16
-A DOCKER-USER -j RETURN -s 172.16.0.0/12

-A DOCKER-USER -j ufw-docker-logging-deny -m conntrack --ctstate NEW -d 192.168.0.0/16
-A DOCKER-USER -j ufw-docker-logging-deny -m conntrack --ctstate NEW -d 10.0.0.0/8
-A DOCKER-USER -j ufw-docker-logging-deny -m conntrack --ctstate NEW -d 172.16.0.0/12

-A DOCKER-USER -j RETURN

-A ufw-docker-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW DOCKER BLOCK] "
-A ufw-docker-logging-deny -j DROP

COMMIT
# END UFW AND DOCKER
`;

/** Runs a scene's commands, and waits until nobody changes rules any more. @throws with what the firewall said against them */
export async function act(tree: FirewallTree, scene: FirewallScene): Promise<void> {
  for (const command of scene.commands) await tree.must(command.split(' ').map(word => word.replaceAll('_', ' ')));
  // Docker makes its rules anew a while after firewalld was reloaded.
  let before = '';
  for (let quiet = 0; quiet < 3;) {
    const now = await tree.must(['sh', '-c', 'iptables-save; ip6tables-save; nft -s list ruleset 2>/dev/null']);
    const rules = now.replaceAll(/\[\d+:\d+\]|^#.*$/gm, '');
    quiet = rules === before ? quiet + 1 : 0;
    before = rules;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

/** What the package's installation script does: ufw's own rules, none of the user's. */
export async function installUfw(tree: FirewallTree): Promise<void> {
  const copy =
    'mkdir -p /var/lib/ufw && cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/*.init /usr/share/ufw/ufw.conf /etc/ufw/';
  await tree.must(['sh', '-c', copy]);
}

/** Puts ufw-docker's block into the rules that ufw loads last. */
export async function installUfwDocker(tree: FirewallTree): Promise<void> {
  await tree.must(['sh', '-c', 'cat >>/etc/ufw/after.rules'], ufwDockerRules);
}

/** firewalld with a message bus of its own, on the machine's /run. */
export interface Firewalld {
  stop(): Promise<void>;
}

/** Starts it; a dockerd that is started afterwards sees it. @throws with what it said when it does not come up */
export async function startFirewalld(lab: Lab, tree: FirewallTree): Promise<Firewalld> {
  // The bus runs as a user of its own. There is no PolicyKit here: root may do all.
  const prepare = `
    echo 'messagebus:x:100:100::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
    echo 'messagebus:x:100:' >>/etc/group
    rm -f /usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service
    mkdir -p /run/dbus
    dbus-uuidgen --ensure`;
  await tree.must(['sh', '-c', prepare]);
  let said = '';
  const start = async (...command: string[]) => {
    const process = await lab.spawnInHost(tree.enter(command), { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [process.child.stdout, process.child.stderr]) {
      stream?.on('data', (text: Buffer) => (said += text.toString()));
    }
    return process;
  };
  const until = async (isUp: string[]) => {
    for (let tries = 0; tries < 150; tries += 1) {
      if ((await tree.run(isUp)).code === 0) return;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    throw new Error(`${isUp.join(' ')}: not yet, and it said: ${said.slice(-2000)}`);
  };
  const bus = await start('dbus-daemon', '--system', '--nofork', '--nopidfile');
  await until(['test', '-S', '/run/dbus/system_bus_socket']);
  const daemon = await start('firewalld', '--nofork', '--nopid');
  await until(['firewall-cmd', '--state']);
  return {
    stop: async () => {
      await daemon.kill();
      await daemon.exited;
      await bus.kill();
      await bus.exited;
    },
  };
}

/** Each goes on from the one before; the first is what the package brings, with Docker's zone. */
export const firewalldScenes: readonly FirewallScene[] = [
  { title: 'the public zone as it comes: ssh, and no more', commands: [] },
  {
    title: 'a service, a port, and rich rules',
    commands: [
      'firewall-cmd --add-service=https',
      'firewall-cmd --add-port=9003/tcp',
      'firewall-cmd --add-port=9000-9002/tcp',
      'firewall-cmd --add-rich-rule=rule_family="ipv4"_source_address="203.0.113.0/24"_port_port="9001"_protocol="tcp"_reject',
      'firewall-cmd --add-rich-rule=rule_family="ipv4"_source_address="10.77.0.1"_port_port="9004"_protocol="udp"_accept',
    ],
  },
  {
    title: 'a zone by source address, a forwarded port, masquerading',
    commands: [
      'firewall-cmd --zone=trusted --add-source=10.77.0.0/28',
      'firewall-cmd --zone=drop --add-source=2001:db8::/32',
      'firewall-cmd --add-forward-port=port=9100:proto=tcp:toport=9001',
      'firewall-cmd --add-masquerade',
    ],
  },
  {
    title: 'eth0 in the drop zone, with a port left open',
    commands: [
      'firewall-cmd --zone=trusted --remove-source=10.77.0.0/28',
      'firewall-cmd --zone=drop --change-interface=eth0',
      'firewall-cmd --zone=drop --add-port=22/tcp',
    ],
  },
  {
    title: 'a policy between zones',
    commands: [
      'firewall-cmd --zone=public --change-interface=eth0',
      'firewall-cmd --permanent --new-policy=guard',
      'firewall-cmd --permanent --policy=guard --add-ingress-zone=public',
      'firewall-cmd --permanent --policy=guard --add-egress-zone=docker',
      'firewall-cmd --permanent --policy=guard --set-target=REJECT',
      'firewall-cmd --permanent --policy=guard --set-priority=-5',
      'firewall-cmd --reload',
    ],
  },
];
