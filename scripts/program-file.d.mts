export const around: { banner: string; footer: string };
export function packed(program: string, id: string): string;
export function unpacked(file: string): { program: string; id: string };
export function cacheHead(id: string): string;
export function cacheFile(id: string, data: Buffer): Buffer;
