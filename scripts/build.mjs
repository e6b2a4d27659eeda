// Bundles cli.tsx and all it imports into one executable file, dist/netdash.mjs. `--if-stale` skips a bundle that is
// newer than every source file; `--readable` makes dist/readable.mjs, with names and lines as they are, for profiles.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inkCaches } from './ink-caches.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isReadable = process.argv.includes('--readable');
const outfile = join(root, 'dist', isReadable ? 'readable.mjs' : 'netdash.mjs');

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

// Ink loads react-devtools-core only when DEV is set, but the import is static. Of dockerode, grpc, protobufjs and tar-fs
// serve image builds, and ssh2 a transport that netdash leaves to the ssh program, as Docker's own CLI does.
const stubs = {
  name: 'stubs',
  setup(pipeline) {
    pipeline.onResolve(
      { filter: /^(react-devtools-core|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs|ssh2)$/ },
      found => ({
        path: found.path,
        namespace: 'stub',
      }),
    );
    pipeline.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({
      contents: 'export default {}; export const initialize = () => {}; export const connectToDevTools = () => {};',
    }));
  },
};

// To parse a module takes time at every start, whether it is used or not, and systeminformation is a fifth of all. As a text
// it is passed over.
const textual = {
  name: 'textual',
  setup(pipeline) {
    pipeline.onResolve({ filter: /^systeminformation$/ }, ({ path }) => ({ path, namespace: 'textual' }));
    pipeline.onLoad({ filter: /.*/, namespace: 'textual' }, async ({ path }) => {
      const { outputFiles } = await build({
        absWorkingDir: root,
        stdin: { contents: `module.exports = require(${JSON.stringify(path)})`, resolveDir: root },
        bundle: true,
        platform: 'node',
        format: 'cjs',
        target: 'node20',
        minify: true,
        legalComments: 'none',
        write: false,
      });
      const load = `new Function('module', 'require', ${JSON.stringify(outputFiles[0].text)})`;
      return {
        contents: `const module = { exports: {} }; ${load}(module, require); export const { mem } = module.exports;`,
      };
    });
  },
};

// Node keeps a file in which any character is beyond Latin-1 with two bytes for each. Such characters are left in regular
// expressions only.
const inAscii = text =>
  text.replaceAll(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

mkdirSync(dirname(outfile), { recursive: true });
const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['cli.tsx'],
  outfile,
  write: false,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Node 20 has them. Rewritten for older engines, an expression would be compiled anew for every character.
  supported: { 'regexp-unicode-property-escapes': true, 'regexp-set-notation': true },
  // Names are kept only where a profile is to be read: the helper for it runs whenever a closure is made.
  minify: !isReadable,
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
  // docker-modem brings a copy of Node's own streams.
  alias: { 'readable-stream': 'node:stream' },
  plugins: [stubs, textual, inkCaches],
  logLevel: 'warning',
  // Outside the bundle, where there is no define, the assignment takes effect.
  logOverride: { 'assign-to-define': 'silent' },
});
writeFileSync(outfile, inAscii(bundled.outputFiles[0].text));
chmodSync(outfile, 0o755);
