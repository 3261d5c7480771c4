/** PINGREQ and PINGRESP (sections 3.12, 3.13): a fixed header and nothing else. */

/** The whole packet; shared by all connections, so nobody writes to it. */
export const PINGRESP: Uint8Array = Uint8Array.of(0xd0, 0);
