// Takes from docker-modem what costs every start or request and is of no use here: that it writes out each request in full for a log that
// nobody reads (a millisecond), and loads HTTPS and TLS, which few daemons are asked by. The edits fit the version in package-lock.json: with another the build fails.
import { readFileSync } from 'node:fs';

const edits = {
  'modem.js': [
    [
      /\n {2}debug\('Sending: %s', util\.inspect\(options, \{\n {4}showHidden: true,\n {4}depth: null\n {2}\}\)\);\n/,
      '\n',
    ],
  ],
  'http.js': [
    [
      /var nativeHttps = require\('https'\),/,
      "var nativeHttps = { request: (...given) => require('https').request(...given) },",
    ],
  ],
};

/** The plugin for esbuild. */
export const leanModem = {
  name: 'lean-modem',
  setup(pipeline) {
    pipeline.onLoad({ filter: /\/docker-modem\/lib\/(modem|http)\.js$/ }, ({ path }) => {
      let text = readFileSync(path, 'utf8');
      for (const [from, to] of edits[path.slice(path.lastIndexOf('/') + 1)]) {
        if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
        text = text.replace(from, () => to);
      }
      return { contents: text };
    });
  },
};
