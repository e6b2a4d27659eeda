// Makes the layout engine (WebAssembly in base64, made by Emscripten) in one go instead of by `fetch` of a data: URL, for which Node
// loads its HTTP client: a quarter of all that an Ink program does before its first frame. It also takes away
// the top-level awaits of Yoga and of Ink (which has two, where DEV is set), which a script cannot have. The edits fit the versions in package-lock.json: with others the build fails.
import { readFileSync } from 'node:fs';

const replaced = (path, text, from, to) => {
  if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
  return text.replace(from, () => to);
};

/** The plugin for esbuild. */
export const syncYoga = {
  name: 'sync-yoga',
  setup(pipeline) {
    pipeline.onLoad({ filter: /\/yoga-layout\/dist\/src\/index\.js$/ }, ({ path }) => ({
      contents: replaced(
        path,
        readFileSync(path, 'utf8'),
        'const Yoga = wrapAssembly(await loadYoga());',
        `const library = {
            instantiateWasm(imports, done) {
                const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(wasm, 'base64')), imports);
                done({ exports });
                return exports;
            },
        };
        loadYoga(library);
        const Yoga = wrapAssembly(library);`,
      ).replace('import loadYoga from', () => 'import loadYoga, { wasm } from'),
    }));
    pipeline.onLoad({ filter: /\/yoga-wasm-base64-esm\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const [, uri, base64] = /H="(data:application\/octet-stream;base64,([A-Za-z0-9+/=]+))";/.exec(text) ?? [];
      if (base64 === undefined) throw new Error(`${path} does not have its WebAssembly where it was`);
      return { contents: `${replaced(path, text, `"${uri}"`, '"data:,"')}\nexport const wasm = "${base64}";` };
    });
    pipeline.onLoad({ filter: /\/ink\/build\/reconciler\.js$/ }, ({ path }) => ({
      contents: replaced(
        path,
        replaced(path, readFileSync(path, 'utf8'), "await import('./devtools.js');", ''),
        'await loadPackageJson()',
        'packageInfo',
      ),
    }));
  },
};
