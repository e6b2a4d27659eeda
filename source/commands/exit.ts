/** What netdash's exit status says; documented in `--help` and the README. */
export const exitCodes = {
  /** Fine. For doctor: no finding of severity error. */
  fine: 0,
  /** doctor: findings of severity error. */
  findings: 1,
  /** The command line is wrong, or names something that is not there. */
  usage: 2,
  /** A source that the command needs cannot be read, so it could not judge. */
  unjudged: 3,
  /** A fault in netdash. */
  internal: 4,
} as const;
