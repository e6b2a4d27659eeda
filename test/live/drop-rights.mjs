// Loaded before netdash: on SIGUSR2 the running program loses all that root may do, on the next one it has it again.
let isRoot = true;
process.on('SIGUSR2', () => {
  isRoot = !isRoot;
  process.seteuid(isRoot ? 0 : 65_534);
});
