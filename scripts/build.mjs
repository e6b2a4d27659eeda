// Bundles cli.tsx and all it imports into one executable file, dist/netdash.mjs, and warms it up (dist/netdash.cache). `--if-stale` skips a bundle that is
// newer than every source file; `--readable` makes dist/readable.mjs, with names and lines as they are, for profiles.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inkCaches } from './ink-caches.mjs';
import { leanModem } from './lean-modem.mjs';
import { cacheHead, packed, partsOf, unpacked } from './program-file.mjs';
import { syncYoga } from './sync-yoga.mjs';

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
  'scripts/lazy-intl.mjs',
  'scripts/lean-modem.mjs',
  'scripts/program-file.mjs',
  'scripts/sync-yoga.mjs',
  'scripts/warm-up.mjs',
  'package.json',
  'package-lock.json',
];
// Beside the bundle lies what V8 has made of it (scripts/warm-up.mjs), for starts with this Node. The bundle starts without it as well,
// only more slowly: that it could not be made must not keep anybody from building, nor be tried again before the bundle is made anew.
const cache = outfile.replace(/\.mjs$/, '.cache');
const warmUp = () => {
  try {
    const script = join(root, 'scripts', 'warm-up.mjs');
    execFileSync(process.execPath, [script, outfile], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 });
  } catch (error) {
    process.stderr.write(`build: netdash will start more slowly than it could: ${error.message}\n`);
    writeFileSync(cache, cacheHead(unpacked(readFileSync(outfile, 'latin1')).id));
  }
};
const isWarm = () => {
  const head = cacheHead(unpacked(readFileSync(outfile, 'latin1')).id);
  return existsSync(cache) && readFileSync(cache).subarray(0, head.length).toString('latin1') === head;
};
if (
  process.argv.includes('--if-stale') &&
  existsSync(outfile) &&
  statSync(outfile).mtimeMs > Math.max(...inputs.map(name => newest(join(root, name))))
) {
  if (!isWarm()) warmUp();
  process.exit(0);
}

const { build, transform } = await import('esbuild');
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

// To read the classes of this expression takes milliseconds, which hardly any start has a use for.
const lazyEmoji = {
  name: 'lazy-emoji',
  setup(pipeline) {
    const [from, to] = [
      String.raw`const rgiEmojiRegex = /^\p{RGI_Emoji}$/v;`,
      String.raw`let emoji; const rgiEmojiRegex = { test: text => (emoji ??= /^\p{RGI_Emoji}$/v).test(text) };`,
    ];
    pipeline.onLoad({ filter: /\/string-width\/index\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      return { contents: text.includes(from) ? text.replace(from, () => to) : text };
    });
  },
};

// Node keeps a file in which any character is beyond Latin-1 with two bytes for each. Such characters are left in regular
// expressions only.
const inAscii = text =>
  text.replaceAll(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const expressions = { 'regexp-unicode-property-escapes': true, 'regexp-set-notation': true };

/**
 * What a start of the dashboard loads, in this order: what asks the host, what follows it, the screen. Each is a script of its own, so that the first answers are
 * on their way while the rest is loaded; what other commands need is not loaded at all.
 */
const groups = [
  [
    'cli.tsx',
    'commands/dashboard.ts',
    'host/docker-endpoint.ts',
    'host/docker-api.ts',
    'host/live-host.ts',
    'host/ahead.ts',
  ],
  ['live/start-live.ts'],
  ['ui/dashboard.tsx', 'ui/app.tsx', 'node_modules/ink/build/index.js', 'node_modules/react/index.js'],
].map(names => names.map(name => (/^(cli|node_modules)/.test(name) ? name : `source/${name}`)));

mkdirSync(dirname(outfile), { recursive: true });
const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['cli.tsx'],
  outdir: 'dist',
  write: false,
  metafile: true,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Node 20 has them. Rewritten for older engines, an expression would be compiled anew for every character.
  supported: expressions,
  legalComments: 'none',
  loader: { '.node': 'empty' },
  define: {
    'process.env.NODE_ENV': '"production"',
    NETDASH_VERSION: JSON.stringify(version),
    'Intl.Segmenter': 'LazySegmenter',
  },
  inject: [join(root, 'scripts', 'lazy-intl.mjs')],
  // docker-modem brings a copy of Node's own streams.
  alias: { 'readable-stream': 'node:stream' },
  plugins: [stubs, textual, lazyEmoji, inkCaches, syncYoga, leanModem],
  logLevel: 'warning',
  // Outside the bundle, where there is no define, the assignment takes effect.
  logOverride: { 'assign-to-define': 'silent' },
});

/** A chunk as a function of CommonJS; an import of Node's own modules is a call of require in it, as a script has no other way. */
const asFunction = async text => {
  const { code } = await transform(text, {
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    supported: { ...expressions, 'dynamic-import': false },
    // Names are kept only where a profile is to be read: the helper for it runs whenever a closure is made.
    minify: !isReadable,
    legalComments: 'none',
    logOverride: { 'empty-import-meta': 'silent' },
  });
  return `function(require,module,exports,__filename){${inAscii(code).trimEnd()}\n}`;
};
const chunks = new Map();
for (const { path, text } of outputFiles) chunks.set(`./${relative(join(root, 'dist'), path)}`, await asFunction(text));

/** What is loaded together with these source files: their chunks and all that those import at once. */
const chunksOf = names => {
  const found = new Set();
  const visit = path => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports)
      if (kind === 'import-statement' && metafile.outputs[next]) visit(next);
  };
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) if (names.includes(entryPoint)) visit(path);
  return [...found].map(path => `./${relative('dist', path)}`);
};
const program = { main: './cli.js', parts: partsOf(chunks, groups.map(chunksOf)) };
const id = createHash('sha256').update(JSON.stringify(program)).digest('hex').slice(0, 32);
writeFileSync(outfile, packed(program, id));
chmodSync(outfile, 0o755);
rmSync(cache, { force: true });
warmUp();
