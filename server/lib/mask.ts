/** Shown in place of a secret. Sent back to the node, it leaves the secret as it is. */
export const MASK = "******";
