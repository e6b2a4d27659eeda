/**
 * Services that one wants to know of when others can reach them: by the process that listens, else by the port that they
 * have in /etc/services or in their own documentation.
 */
import type { Proto } from '../host/readings.ts';

/**
 * - `critical`: whoever reaches it owns the host or all its data, as it comes without a password
 * - `high`: data, or a service that was made for trusted networks only
 * - `elevated`: a way to log in or to administer, protected by a login of its own
 * - `ordinary`: nothing known to be sensitive
 */
export type Risk = 'critical' | 'high' | 'elevated' | 'ordinary';

interface Entry {
  name: string;
  risk: Risk;
  ports: readonly number[];
  /** Names of its processes as /proc/<pid>/comm has them: 15 characters at most. */
  processes: readonly string[];
  udp?: boolean;
  why: string;
}

const table: readonly Entry[] = [
  {
    name: 'Docker API',
    risk: 'critical',
    ports: [2375, 2376],
    processes: ['dockerd'],
    why: 'whoever may use it is root on this host; on 2375 it asks for no key',
  },
  {
    name: 'kubelet',
    risk: 'critical',
    ports: [10250, 10255],
    processes: ['kubelet'],
    why: 'it runs commands in pods',
  },
  {
    name: 'etcd',
    risk: 'critical',
    ports: [2379, 2380],
    processes: ['etcd'],
    why: 'it holds all of a cluster, secrets too, and comes without a login',
  },
  {
    name: 'Redis',
    risk: 'critical',
    ports: [6379, 26379],
    processes: ['redis-server', 'valkey-server', 'redis-sentinel'],
    why: 'it comes without a password, and can be made to write files',
  },
  {
    name: 'Consul',
    risk: 'critical',
    ports: [8500],
    processes: ['consul'],
    why: 'its API comes without a login and may run checks, which are commands',
  },
  {
    name: 'Nomad',
    risk: 'critical',
    ports: [4646],
    processes: ['nomad'],
    why: 'its API comes without a login and runs jobs',
  },
  {
    name: 'Jupyter',
    risk: 'critical',
    ports: [8888],
    processes: ['jupyter-noteboo', 'jupyter-lab', 'jupyter'],
    why: 'it runs code',
  },
  {
    name: 'debugger of Node.js',
    risk: 'critical',
    ports: [9229],
    processes: [],
    why: 'it runs code in the process and knows no login',
  },
  {
    name: 'debugger of Java',
    risk: 'critical',
    ports: [5005],
    processes: [],
    why: 'it runs code in the process and knows no login',
  },
  {
    name: 'telnet',
    risk: 'critical',
    ports: [23],
    processes: ['telnetd', 'in.telnetd'],
    why: 'a login in clear text',
  },
  {
    name: 'rsh',
    risk: 'critical',
    ports: [512, 513, 514],
    processes: ['in.rshd', 'in.rlogind'],
    why: 'it trusts names',
  },
  {
    name: 'MongoDB',
    risk: 'high',
    ports: [27017, 27018, 27019],
    processes: ['mongod', 'mongos'],
    why: 'a database; it comes without a login',
  },
  {
    name: 'Elasticsearch',
    risk: 'high',
    ports: [9200, 9300],
    processes: ['elasticsearch', 'opensearch'],
    why: 'a database; older ones come without a login',
  },
  {
    name: 'memcached',
    risk: 'high',
    ports: [11211],
    processes: ['memcached'],
    udp: true,
    why: 'data without a login; over UDP it serves attacks on others',
  },
  { name: 'MySQL', risk: 'high', ports: [3306, 33060], processes: ['mysqld', 'mariadbd'], why: 'a database' },
  { name: 'PostgreSQL', risk: 'high', ports: [5432], processes: ['postgres', 'pgbouncer'], why: 'a database' },
  { name: 'SQL Server', risk: 'high', ports: [1433], processes: ['sqlservr'], why: 'a database' },
  { name: 'Oracle', risk: 'high', ports: [1521], processes: ['tnslsnr'], why: 'a database' },
  { name: 'CouchDB', risk: 'high', ports: [5984], processes: [], why: 'a database' },
  { name: 'Cassandra', risk: 'high', ports: [7000, 7199, 9042], processes: [], why: 'a database' },
  { name: 'ClickHouse', risk: 'high', ports: [8123], processes: ['clickhouse-serv'], why: 'a database' },
  { name: 'InfluxDB', risk: 'high', ports: [8086], processes: ['influxd'], why: 'a database' },
  { name: 'Neo4j', risk: 'high', ports: [7474, 7687], processes: [], why: 'a database' },
  {
    name: 'RabbitMQ',
    risk: 'high',
    ports: [5672, 15672, 25672],
    processes: ['rabbitmq-server'],
    why: 'a message queue',
  },
  { name: 'Kafka', risk: 'high', ports: [9092], processes: [], why: 'a message queue; it comes without a login' },
  { name: 'NATS', risk: 'high', ports: [4222], processes: ['nats-server'], why: 'a message queue without a login' },
  { name: 'ZooKeeper', risk: 'high', ports: [2181], processes: [], why: 'it comes without a login' },
  { name: 'MQTT', risk: 'high', ports: [1883], processes: ['mosquitto'], why: 'a message queue in clear text' },
  {
    name: 'NFS',
    risk: 'high',
    ports: [2049],
    processes: ['nfsd'],
    udp: true,
    why: 'files, to whoever has the address',
  },
  { name: 'Samba', risk: 'high', ports: [139, 445], processes: ['smbd'], why: 'files' },
  { name: 'rsync', risk: 'high', ports: [873], processes: ['rsync'], why: 'files; it comes without a login' },
  {
    name: 'FTP',
    risk: 'high',
    ports: [21],
    processes: ['vsftpd', 'proftpd', 'pure-ftpd'],
    why: 'a login in clear text',
  },
  {
    name: 'TFTP',
    risk: 'high',
    ports: [69],
    processes: ['in.tftpd', 'tftpd'],
    udp: true,
    why: 'files without a login',
  },
  { name: 'rpcbind', risk: 'high', ports: [111], processes: ['rpcbind'], udp: true, why: 'it tells what runs here' },
  { name: 'LDAP', risk: 'high', ports: [389, 636], processes: ['slapd'], why: 'accounts' },
  {
    name: 'SNMP',
    risk: 'high',
    ports: [161],
    processes: ['snmpd'],
    udp: true,
    why: 'it tells all of the host to whoever knows a word',
  },
  { name: 'X11', risk: 'high', ports: [6000, 6001], processes: ['Xorg', 'Xvfb'], why: 'screen and keyboard' },
  {
    name: 'VNC',
    risk: 'high',
    ports: [5900, 5901],
    processes: ['Xvnc', 'x11vnc', 'Xtigervnc'],
    why: 'screen and keyboard',
  },
  {
    name: 'Kubernetes API',
    risk: 'elevated',
    ports: [6443],
    processes: ['kube-apiserver'],
    why: 'it administers a cluster',
  },
  {
    name: 'Docker metrics',
    risk: 'elevated',
    ports: [9323],
    processes: [],
    why: 'figures of all containers, without a login',
  },
  {
    name: 'Docker swarm',
    risk: 'elevated',
    ports: [2377, 7946],
    processes: [],
    udp: true,
    why: 'the cluster administers itself there',
  },
  { name: 'SSH', risk: 'elevated', ports: [22], processes: ['sshd', 'dropbear'], why: 'a way to log in' },
  { name: 'RDP', risk: 'elevated', ports: [3389], processes: ['xrdp'], why: 'a way to log in' },
  {
    name: 'Cockpit',
    risk: 'elevated',
    ports: [],
    processes: ['cockpit-ws', 'cockpit-tls'],
    why: 'it administers this host',
  },
  { name: 'Webmin', risk: 'elevated', ports: [10000], processes: ['miniserv.pl'], why: 'it administers this host' },
  { name: 'Portainer', risk: 'elevated', ports: [9443], processes: ['portainer'], why: 'it administers Docker' },
  { name: 'Jenkins', risk: 'elevated', ports: [50000], processes: ['jenkins'], why: 'it runs jobs' },
  {
    name: 'Prometheus',
    risk: 'elevated',
    ports: [9090],
    processes: ['prometheus'],
    why: 'figures of everything, without a login',
  },
  {
    name: 'node exporter',
    risk: 'elevated',
    ports: [9100],
    processes: ['node_exporter'],
    why: 'figures of this host, without a login',
  },
  {
    name: 'cAdvisor',
    risk: 'elevated',
    ports: [],
    processes: ['cadvisor'],
    why: 'figures of all containers, without a login',
  },
  { name: 'CUPS', risk: 'elevated', ports: [631], processes: ['cupsd', 'cups-browsed'], udp: true, why: 'printers' },
  {
    name: 'SMTP',
    risk: 'elevated',
    ports: [25],
    processes: ['master', 'exim4', 'sendmail'],
    why: 'others may send mail by it',
  },
];

const byProcess: ReadonlyMap<string, Entry> = new Map(
  table.flatMap(entry => entry.processes.map(name => [name, entry] as const)),
);
const byPort: ReadonlyMap<string, Entry> = new Map(
  table.flatMap(entry =>
    entry.ports.flatMap(port => [
      [`${port}/tcp`, entry] as const,
      ...(entry.udp ? [[`${port}/udp`, entry] as const] : []),
    ]),
  ),
);

/** What is known to listen somewhere. */
export interface ServiceClues {
  proto: Proto;
  /** The port where it listens itself; for a published one the container's. */
  port: number;
  /** The process that listens there (not docker-proxy). */
  process?: string;
}

/** A service, how bad it is that others reach it, and why. */
export interface Service {
  /** `Redis`, or `Redis by its port` where no process says so; absent: nothing is known of it. */
  name?: string;
  risk: Risk;
  why?: string;
}

/** What service it is, as far as the process or the port tell. */
export function serviceOf({ proto, port, process }: ServiceClues): Service {
  // dockerd listens for the swarm and for its metrics too.
  const isApart = process === 'dockerd' && byPort.has(`${port}/${proto}`);
  const sure = process === undefined || isApart ? undefined : byProcess.get(process);
  if (sure) return { name: sure.name, risk: sure.risk, why: sure.why };
  const likely = byPort.get(`${port}/${proto}`);
  return likely ? { name: `${likely.name} by its port`, risk: likely.risk, why: likely.why } : { risk: 'ordinary' };
}
