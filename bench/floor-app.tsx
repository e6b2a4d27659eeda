/** Draws netdash's screen, which it knows beforehand, and reads nothing for it. */
import { draw } from './floor-screen.tsx';

draw();
