/** Name of the command line's socket in the data directory of a node. */
export const CTL_SOCKET = "ctl.sock";
