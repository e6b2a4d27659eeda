// Bundles cli.tsx and all it imports into one executable file, dist/netdash.mjs. `--if-stale` skips a bundle that is
// newer than every source file; `--readable` leaves names and lines as they are, for profiles.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inkCaches } from './ink-caches.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outfile = join(root, 'dist', 'netdash.mjs');

const newest = path => {
  const info = statSync(path);
  return info.isDirectory() ? Math.max(0, ...readdirSync(path).map(name => newest(join(path, name)))) : info.mtimeMs;
};
const inputs = [
  'cli.tsx',
  'source',
  'scripts/build.mjs',
  'scripts/ink-caches.mjs',
  'package.json',
  'package-lock.json',
];
if (
  process.argv.includes('--if-stale') &&
  existsSync(outfile) &&
  statSync(outfile).mtimeMs > Math.max(...inputs.map(name => newest(join(root, name))))
) {
  process.exit(0);
}

const { build } = await import('esbuild');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// Ink loads react-devtools-core only when DEV is set, but the import is static. Of dockerode, grpc serves image builds, and
// ssh2 a transport that netdash leaves to the ssh program, as Docker's own CLI does.
const stubs = {
  name: 'stubs',
  setup(pipeline) {
    pipeline.onResolve({ filter: /^(react-devtools-core|@grpc\/grpc-js|@grpc\/proto-loader|ssh2)$/ }, found => ({
      path: found.path,
      namespace: 'stub',
    }));
    pipeline.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({
      contents: 'export default {}; export const initialize = () => {}; export const connectToDevTools = () => {};',
    }));
  },
};

mkdirSync(dirname(outfile), { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ['cli.tsx'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Node 20 has them. Rewritten for older engines, an expression would be compiled anew for every character.
  supported: { 'regexp-unicode-property-escapes': true, 'regexp-set-notation': true },
  // Names are kept only where a profile is to be read: the helper for it runs whenever a closure is made.
  minify: !process.argv.includes('--readable'),
  legalComments: 'none',
  loader: { '.node': 'empty' },
  define: { 'process.env.NODE_ENV': '"production"', NETDASH_VERSION: JSON.stringify(version) },
  banner: {
    js: [
      '#!/usr/bin/env node',
      `import{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';`,
      'const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);',
    ].join('\n'),
  },
  plugins: [stubs, inkCaches],
  logLevel: 'warning',
  // Outside the bundle, where there is no define, the assignment takes effect.
  logOverride: { 'assign-to-define': 'silent' },
});
chmodSync(outfile, 0o755);
