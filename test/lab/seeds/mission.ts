import type { Lab } from '../lab.ts';
export interface Mission {
  x?: string;
}
export const seedMission = async (_lab: Lab): Promise<Mission> => ({});
