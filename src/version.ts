declare const PATCTL_VERSION: string | undefined;

/** The newest versions on which the whole of `npm test -- matrix` has run. */
export const NEWEST_PATRONI = '4.1.5';
export const NEWEST_POSTGRES = 18;

/** patctl's own version, put in by the build; 'dev' when the sources run unbuilt. */
export const VERSION = typeof PATCTL_VERSION === 'string' ? PATCTL_VERSION : 'dev';
