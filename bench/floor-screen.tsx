/** The least that an Ink program can do to show what netdash shows: the lines of its screen, which it knows beforehand. */
import { Box, Text, render, useInput } from 'ink';

/** Put in by the bundler (bench.ts). */
declare const LINES: readonly string[];

function Floor() {
  useInput(() => undefined);
  return (
    <Box flexDirection="column">
      {LINES.map((line, row) => (
        <Box key={row} height={1}>
          <Text>{line}</Text>
        </Box>
      ))}
    </Box>
  );
}

/** Shows them. */
export const draw = (): void => {
  render(<Floor />, {
    alternateScreen: true,
    incrementalRendering: true,
    patchConsole: false,
    maxFps: 30,
    interactive: true,
  });
};
