/** Something the lab needs is not there, and it could not be installed. The message says what to do. */
export class SetupError extends Error {}
