/** The least that an Ink program on the whole screen can do: one line, which a key changes. What netdash is measured against. */
import { Text, render, useInput } from 'ink';
import { useState } from 'react';

function Empty() {
  const [count, setCount] = useState(0);
  useInput(() => setCount(count + 1));
  return <Text>count {count}</Text>;
}

render(<Empty />, {
  alternateScreen: true,
  incrementalRendering: true,
  patchConsole: false,
  maxFps: 30,
  interactive: true,
});
