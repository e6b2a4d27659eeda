/** One thing that netdash asked of the machine (call-recorder.cjs). */
export interface Call {
  kind: 'file' | 'link' | 'text' | 'folder' | 'run' | 'docker';
  /** A path, a request's path, or a tool with its arguments. */
  what: string | readonly string[];
}

export const env: Record<string, string | undefined>;
export function ask(call: Call, socketPath: string): Promise<boolean>;
