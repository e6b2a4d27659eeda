export interface Part {
  names: string[];
  text: string;
}
export interface Program {
  main: string;
  parts: Part[];
}
export const flags: readonly string[];
export function partsOf(modules: ReadonlyMap<string, string>, groups: readonly (readonly string[])[]): Part[];
export function packed(program: Program, id: string): string;
export function unpacked(file: string): { program: Program; id: string };
export function cacheHead(id: string): string;
export function cacheFile(id: string, datas: readonly Buffer[]): Buffer;
