/** What the benches share: the host that is measured, and the two programs. */
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Lab } from '../test/lab/lab.ts';
import type { Findings } from './figures.ts';
import type { Usage } from './usage.ts';

/** A host with so many containers. */
export interface Site {
  lab: Lab;
  usage: Usage;
  containers: number;
  /** argv of netdash. */
  netdash: readonly string[];
  /** argv of the empty Ink program. */
  empty: readonly string[];
}

/** One part of `npm run bench`. */
export type Bench = (site: Site, report: (line: string) => void) => Promise<Findings>;

/**
 * Bundles an Ink program of this folder into one file as is usual, with nothing that netdash's own build does to start sooner.
 * @param define constants for it, as text of JavaScript
 * @returns the file
 */
export const buildInk = async (
  folder: string,
  name: 'empty' | 'floor' | 'asking',
  define: Record<string, string> = {},
): Promise<string> => {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}-app.tsx`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    jsx: 'automatic',
    define: { ...define, 'process.env.NODE_ENV': '"production"' },
    banner: { js: `import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);` },
    plugins: [
      {
        name: 'stubs',
        setup(pipeline) {
          pipeline.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: 'stub' }));
          pipeline.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: 'export default {}' }));
        },
      },
    ],
    logLevel: 'warning',
  });
  return outfile;
};

/** Whether the screen shows all there is: every source has answered and no cell waits. */
export const isComplete = (lines: readonly string[]): boolean =>
  lines.some(line => line.includes('docker ✓')) &&
  !lines.some(line => /reading…|not read yet|unknown: not…/.test(line));
