declare const PATCTL_VERSION: string | undefined;

/** The newest versions that the lab installs and the tests have run on. */
export const NEWEST_PATRONI = '4.1.5';
export const NEWEST_POSTGRES = 18;

/** patctl's own version, put in by the build; 'dev' when the sources run unbuilt. */
export const VERSION = typeof PATCTL_VERSION === 'string' ? PATCTL_VERSION : 'dev';
