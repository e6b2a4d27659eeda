export const demoRecording = '';
