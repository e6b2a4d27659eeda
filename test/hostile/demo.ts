/** The recording that comes with netdash: all sources, events, restarts. */
import { brotliDecompressSync } from 'node:zlib';
import { demoRecording } from '../../source/demo/recording.ts';
import type { Recording } from '../../source/host/recording/format.ts';
import { parseRecording } from '../../source/host/recording/load.ts';

const isEarly = ({ atMs }: { atMs: number }): boolean => atMs < 3000;

/** A new copy of its first seconds, in which a container that fails to start is started over and over. */
export function demo(): Recording {
  const recording = parseRecording(brotliDecompressSync(Buffer.from(demoRecording, 'base64')));
  return {
    ...recording,
    frames: recording.frames.filter(isEarly),
    dockerEvents: recording.dockerEvents.filter(isEarly),
  };
}
